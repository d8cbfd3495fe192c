"""Measures what `psmooth.recognition` says about scans of the test split, and about pictures that are no such scans.

It knows nothing about how a finding is made. Called with the folder of the scans and a folder of wheels that hold
pictures (``pip download --no-deps scikit-image==0.25.2 scikit-learn matplotlib mahotas imgaug gradio==6.31.0
ultralytics``):

    python -m tests.recognition SCANS WHEELS

It takes minutes and prints the table of `docs/recognition.md`.
"""

import argparse
import io
import random
import runpy
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from psmooth.errors import PsmoothError
from psmooth.files import resource
from psmooth.models import load_model
from psmooth.phantoms import PHANTOMS, draw_phantom
from psmooth.recognition.statistics import Statistics, statistics_of
from psmooth.scans import Crop, CropRule, Scan, crop_scan, open_scan
from psmooth.tasks import TASKS

# What the test files of pydicom and nibabel show, looked at one by one; brains by MR and the chest are no strangers.
STRANGE_DICOM = (
    "693_J2KR", "693_UNCI", "JPEG-LL", "JPEG2000_UNC", "JPGLosslessP14SV1_1s_1f_8b", "MR-SIEMENS-DICOM-WithOverlays",
    "MR2_J2KI", "OBXXXX1A", "RG3_J2KI", "US1_J2KI", "bad_sequence", "color-pl", "color3d_jpeg_baseline", "emri_small",
    "explicit_VR-UN", "gdcm-US-ALOKA-16", "liver", "slicethickness_empty_string", "CT_small", "J2K_pixelrep_mismatch",
    "MR_small", "examples_overlay", "examples_palette",
)  # fmt: skip
STRANGE_STAINS = ("retina.jpg", "ihc.png", "microaneurysms.png", "cell.png", "nuclear.png")
PACKAGES = ("data_store", "pydicom", "nibabel")
NO_PHOTOGRAPH = (
    "matplotlib/mpl-data/images", "/tests/", "multipage", "phantom", "logo", "chessboard", "page.png", "text.png",
    "no_time", "clock", "horse", "color.png", "depth_map", "-copy", "avatar", "bus.png", "favicon", "test_image",
)  # fmt: skip
PICTURES = (".png", ".jpg", ".jpeg")
DRAWN = 120


@dataclass(frozen=True)
class Picture:
    """A crop, what it is one of, and the file or number that it comes from."""

    group: str
    source: str
    crop: Crop


def strangers(wheels: Path) -> list[Picture]:
    """Pictures that the pocket models were not made for."""
    found = [*_other_modalities(wheels), *_photographs(wheels), *_drawings(), *_screenshots(), *_noise()]
    return list({picture.crop.sha256: picture for picture in found}.values())


def is_development(pictures: list[Picture]) -> list[bool]:
    """Every second source of a group, on which thresholds may be looked at; the others are reported."""
    order = {key: number for number, key in enumerate(sorted({(one.group, one.source) for one in pictures}))}
    return [order[one.group, one.source] % 2 == 0 for one in pictures]


def _other_modalities(wheels: Path) -> Iterator[Picture]:
    roots = [Path(next(iter(found.submodule_search_locations or ()))) for found in map(find_spec, PACKAGES) if found]
    for path in sorted(path for root in roots for path in root.rglob("*.dcm") if path.stem in STRANGE_DICOM):
        scan = open_scan(path)
        for window in (offer.window for offer in scan.offers[:3]) if scan.offers else (None,):
            for box in _boxes(scan, 0.7):
                yield Picture("other modalities", path.stem, crop_scan(scan, CropRule(box=box, window=window)))
    for name, data in _wheel_pictures(wheels):
        if name.endswith(STRANGE_STAINS):
            yield from _cuts("other modalities", name, data)


def _photographs(wheels: Path) -> Iterator[Picture]:
    for name, data in _wheel_pictures(wheels):
        if not name.endswith(STRANGE_STAINS) and not any(part in name for part in NO_PHOTOGRAPH):
            yield from _cuts("photographs", name, data)


def _wheel_pictures(wheels: Path) -> Iterator[tuple[str, bytes]]:
    for wheel in sorted(wheels.glob("*.whl")):
        with zipfile.ZipFile(wheel) as content:
            for name in sorted(content.namelist()):
                if name.endswith(PICTURES):
                    yield name, content.read(name)


def _cuts(group: str, source: str, data: bytes) -> Iterator[Picture]:
    """The whole picture and its four corners."""
    try:
        scan = open_scan(data)
    except PsmoothError:
        return
    for box in _boxes(scan, 0.5):
        yield Picture(group, source, crop_scan(scan, CropRule(box=box)))


def _boxes(scan: Scan, share: float) -> Iterator[tuple[int, int, int, int] | None]:
    yield None
    width, height = int(scan.width * share), int(scan.height * share)
    if min(width, height) >= 64:
        for left in (0, scan.width - width):
            for top in (0, scan.height - height):
                yield left, top, left + width, top + height


def _drawings() -> Iterator[Picture]:
    for number in range(DRAWN):
        draw = random.Random(number)
        kind = (_doodle, _chart, _letters, _face)[number % 4]
        paper = (255, 255, 255) if number % 3 else tuple(draw.randrange(256) for _ in range(3))
        image = Image.new("RGB", (400, 400), paper)
        kind(ImageDraw.Draw(image), draw)
        yield Picture("drawings", f"{number:03}", _crop_of(image))


def _colour(draw: random.Random) -> tuple[int, int, int]:
    return draw.randrange(256), draw.randrange(256), draw.randrange(256)


def _doodle(pen: ImageDraw.ImageDraw, draw: random.Random) -> None:
    for _ in range(draw.randrange(2, 8)):
        points = [(draw.randrange(400), draw.randrange(400)) for _ in range(draw.randrange(2, 7))]
        pen.line(points, fill=_colour(draw), width=draw.randrange(2, 12), joint="curve")


def _chart(pen: ImageDraw.ImageDraw, draw: random.Random) -> None:
    pen.line([(40, 20), (40, 360), (380, 360)], fill=(0, 0, 0), width=2)
    if draw.random() < 0.5:
        for left in range(60, 360, 50):
            pen.rectangle([left, draw.randrange(40, 340), left + 30, 359], fill=_colour(draw))
    else:
        for _ in range(3):
            height = 200
            points = [(x, height := min(350, max(30, height + draw.randrange(-40, 41)))) for x in range(40, 380, 10)]
            pen.line(points, fill=_colour(draw), width=3)


def _letters(pen: ImageDraw.ImageDraw, draw: random.Random) -> None:
    size = draw.choice((14, 24, 48))
    for top in range(10, 390, int(size * 1.3)):
        words = "".join(draw.choice("abcdefghijklmnop qrstuvwxyz ") for _ in range(700 // size))
        pen.text((10, top), words, fill=(20, 20, 20), font_size=size)


def _face(pen: ImageDraw.ImageDraw, draw: random.Random) -> None:
    """A cat, more or less."""
    fur, line = _colour(draw), (10, 10, 10)
    pen.polygon([(90, 160), (110, 40), (190, 110)], fill=fur, outline=line, width=4)
    pen.polygon([(310, 160), (290, 40), (210, 110)], fill=fur, outline=line, width=4)
    pen.ellipse([80, 90, 320, 330], fill=fur, outline=line, width=4)
    for x in (150, 250):
        pen.ellipse([x - 20, 170, x + 20, 210], fill=(255, 255, 255), outline=line, width=3)
        pen.ellipse([x - 8, 180, x + 8, 205], fill=line)
    pen.polygon([(190, 230), (210, 230), (200, 245)], fill=(240, 130, 150))
    for end in draw.sample(range(200, 300, 12), 4):
        pen.line([(180, 245), (60, end)], fill=line, width=2)
        pen.line([(220, 245), (340, end)], fill=line, width=2)


def _screenshots() -> Iterator[Picture]:
    """The page as it was shot with Chromium for the documents, whole and in parts."""
    for path in sorted((Path(__file__).resolve().parent.parent / "docs").glob("*.png")):
        yield from _cuts("screenshots", path.name, path.read_bytes())


def _noise() -> Iterator[Picture]:
    for number in range(DRAWN):
        rng = np.random.default_rng(number)
        grey, slope = number % 2 == 0, (0.0, 0.5, 1.0)[number % 3]
        yield Picture("noise", f"{number:03}", _crop_of(Image.fromarray(_coloured_noise(rng, slope, grey))))


def _coloured_noise(rng: np.random.Generator, slope: float, grey: bool) -> np.ndarray:
    """Gaussian noise with an amplitude of 1 / frequency ** slope, stretched over all levels."""
    frequency = np.hypot(np.fft.fftfreq(128)[:, None], np.fft.rfftfreq(128)[None])
    frequency[0, 0] = 1 / 128
    planes = [
        np.fft.irfft2(np.fft.rfft2(rng.normal(size=(128, 128))) / frequency**slope) for _ in range(1 if grey else 3)
    ]
    values = np.stack(planes * (3 if grey else 1), axis=-1)
    return np.clip(128 + 50 * (values - values.mean()) / values.std(), 0, 255).astype(np.uint8)


def _crop_of(image: Image.Image) -> Crop:
    file = io.BytesIO()
    image.save(file, "PNG")
    return crop_scan(open_scan(file.getvalue()))


# --- what is measured

Row = tuple[str, int, float]  # what, how many pictures, share of them
RECIPE = resource("assets", "pocket", "kinds.py")
TURNS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "mirrored": lambda crops: crops[..., ::-1],
    "upside down": lambda crops: crops[..., ::-1, :],
    "a quarter turn": lambda crops: np.rot90(crops, axes=(2, 3)),
    "contrast ÷ 1.25": lambda crops: _windowed(crops, 127.5, 320),
    "contrast × 1.25": lambda crops: _windowed(crops, 127.5, 204),
    "brighter by 17": lambda crops: _windowed(crops, 110.5, 255),
    "darker by 17": lambda crops: _windowed(crops, 144.5, 255),
}


def _windowed(crops: np.ndarray, center: float, width: float) -> np.ndarray:
    return np.clip((crops - (center - width / 2)) / width * 255, 0, 255).round().astype(np.uint8)


def _distances(statistics: Statistics, scans: Any) -> np.ndarray:
    return statistics.distances(scans.embeddings, scans.descriptions)


def _alarms(statistics: Statistics, scans: Any) -> float:
    return float((_distances(statistics, scans).min(1) > 1).mean())


def rows_of(name: str, folder: Path, wheels: Path) -> Iterator[Row]:
    """The column of one model."""
    recipe, model = runpy.run_path(str(RECIPE)), load_model(name, "cpu")
    crops, labels = recipe["read_crops"](folder, "test", model.crop_rule)
    test = recipe["look_at"](model, crops, labels)
    statistics = statistics_of(model)
    assert statistics is not None
    yield from _task_rows(statistics, test)
    yield from _turned_rows(statistics, crops, labels, lambda *seen: recipe["look_at"](model, *seen))
    yield from _stranger_rows(statistics, wheels, lambda *seen: recipe["look_at"](model, *seen))
    yield from _left_out_rows(statistics, test)


def _task_rows(statistics: Statistics, test: Any) -> Iterator[Row]:
    distances = _distances(statistics, test)
    right = np.array(statistics.tasks)[distances.argmin(1)] == test.tasks
    sure = (distances <= 1).sum(1) == 1
    yield "right task of seven", len(right), float(right.mean())
    yield "taken at once", len(right), float(sure.mean())
    yield "taken at once, and wrong", len(right), float((sure & ~right).mean())
    yield "false alarms", len(right), float((distances.min(1) > 1).mean())
    for task in statistics.tasks:
        yield f"false alarms: {task}", int((test.tasks == task).sum()), _alarms(statistics, test[test.tasks == task])


def _turned_rows(statistics: Statistics, crops: np.ndarray, labels: list[str], look_at: Any) -> Iterator[Row]:
    """Every 32nd scan, changed; the rows of grey scans, for which alone windows are chosen, beside all."""
    some, names = crops[::32], labels[::32]
    for words, change in TURNS.items():
        changed = look_at(np.ascontiguousarray(change(some)), names)
        grey = np.isin(changed.tasks, ("brain_mri", "breast_ultrasound", "chest_xray"))
        yield f"false alarms, {words}: in colour", int((~grey).sum()), _alarms(statistics, changed[~grey])
        yield f"false alarms, {words}: grey", int(grey.sum()), _alarms(statistics, changed[grey])


def _stranger_rows(statistics: Statistics, wheels: Path, look_at: Any) -> Iterator[Row]:
    pictures = strangers(wheels)
    seen = look_at(np.stack([one.crop.pixels for one in pictures]), [one.group for one in pictures])
    development = np.array(is_development(pictures))
    for group in dict.fromkeys(one.group for one in pictures):
        chosen = (seen.tasks == group) & ~development
        yield f"alarms: {group}", int(chosen.sum()), _alarms(statistics, seen[chosen])
    for task in PHANTOMS:
        drawn = [draw_phantom(task, name, seed).pixels for name in TASKS[task].class_ids for seed in range(5)]
        phantoms = look_at(np.stack([crop_scan(open_scan(one)).pixels for one in drawn]), [task] * len(drawn))
        yield f"alarms: drawn phantoms of {task}", len(drawn), _alarms(statistics, phantoms)


def _left_out_rows(statistics: Statistics, test: Any) -> Iterator[Row]:
    """The scans of a task, held against the others alone."""
    for place, task in enumerate(statistics.tasks):
        others = np.delete(_distances(statistics, test[test.tasks == task]), place, axis=1)
        yield f"alarms: {task}, held against the other tasks", len(others), float((others.min(1) > 1).mean())


def _column(name: str, folder: Path, wheels: Path) -> list[Row]:
    return list(rows_of(name, folder, wheels))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scans", type=Path)
    parser.add_argument("wheels", type=Path)
    given = parser.parse_args()
    with ProcessPoolExecutor(2) as at_once:
        columns = list(at_once.map(_column, ("pocket", "pocket-noisy"), [given.scans] * 2, [given.wheels] * 2))
    print("| | pictures | pocket | pocket-noisy |\n|---|---|---|---|")
    for (words, count, share), (_, _, noisy) in zip(*columns, strict=True):
        print(f"| {words} | {count:,} | {share:.3f} | {noisy:.3f} |")


if __name__ == "__main__":
    main()
