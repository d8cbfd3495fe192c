"""Measures how long a scan takes from its upload to its picture on the page; prints the best of several rounds.

``python -m tests.arriving`` starts the page and a browser. Its files are drawn. It knows nothing about psmooth but
where the page shows what was read.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

import imagecodecs
import numpy as np
from playwright.sync_api import Page, sync_playwright
from pydicom.encaps import encapsulate
from pydicom.uid import UID

from tests.browser.conftest import ARGUMENTS, CHROMIUM, OVER, settle
from tests.dicoms import dicom, file_of
from tests.serving import serve

ROUNDS = 7
BASELINE = "1.2.840.10008.1.2.4.50"


def ct() -> bytes:
    """40 slices of 512 × 512 in 16 bits, 21 MB."""
    slices = np.random.default_rng(0).normal(1_024, 300, (40, 512, 512)).clip(0, 4_095).astype(np.uint16)
    return file_of(dicom(slices, frames=40, Modality="CT", RescaleSlope="1", RescaleIntercept="-1024"))


def ultrasound(packed: bool) -> bytes:
    """60 frames of 640 × 480 in colour, as they are (55 MB) or as JPEG."""
    rows, columns = np.mgrid[0:480, 0:640]
    speckle = np.random.default_rng(0).rayleigh(40, (480, 640))
    shades = [(speckle * (1 + np.sin(rows / 30 + frame / 5)) * (columns > 80)).clip(0, 255) for frame in range(60)]
    frames = np.repeat(np.stack(shades).astype(np.uint8)[..., None], 3, axis=-1)
    dataset = dicom(frames, frames=60, Modality="US")
    if packed:
        dataset.PixelData = encapsulate([bytes(imagecodecs.jpeg8_encode(frame, level=85)) for frame in frames])
        dataset.PhotometricInterpretation = "YBR_FULL_422"
        dataset.file_meta.TransferSyntaxUID = UID(BASELINE)
        dataset["PixelData"].VR = "OB"
    return file_of(dataset)


PICTURES = ".ps-scan[src], .ps-question:not([hidden]) img[src]"


def seconds(page: Page, file: Path) -> float:
    """From the choice of a file to the first picture of it."""
    page.click("#ps-clear")
    page.wait_for_function("!document.querySelector('.ps-scan').getAttribute('src')")
    start = time.perf_counter()
    page.set_input_files("#ps-scan-card input[type=file]", file)
    page.wait_for_function(f"[...document.querySelectorAll('{PICTURES}')].some((one) => one.naturalWidth)", polling=10)
    taken = time.perf_counter() - start
    settle(page)
    page.wait_for_selector(OVER)
    return taken


def main() -> None:
    """Print a line for each file."""
    server = serve(sys.argv[1] if len(sys.argv) > 1 else "bundled:pocket")
    files = {"CT": ct(), "ultrasound, as it is": ultrasound(False), "ultrasound, JPEG": ultrasound(True)}
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        page = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS).new_page()
        page.set_default_timeout(120_000)
        page.goto(server.url)
        page.wait_for_selector(OVER)
        for name, content in files.items():
            taken = []
            for number in range(ROUNDS):
                file = Path(folder, f"{number}.dcm")
                file.write_bytes(content)
                taken.append(seconds(page, file))
            load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
            print(
                f"{name}: {len(content) / 1e6:.0f} MB, best of {ROUNDS} {min(taken):.2f} s, load {load:.1f}", flush=True
            )


if __name__ == "__main__":
    main()
