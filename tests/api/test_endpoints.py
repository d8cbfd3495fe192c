"""The endpoints, asked by gradio_client as any other program would."""

import base64
import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from psmooth.attack.reading import check_attack
from psmooth.certificate import verify
from psmooth.files import resource
from psmooth.interface.gallery import PHANTOMS
from psmooth.phantoms import draw_phantom
from psmooth.prompts import load_bank
from tests.dicoms import series
from tests.serving import Server
from tests.visitor import soon


def submit(client: Client, file: Path, **settings: Any) -> Any:
    return client.submit(scan=handle_file(file), api_name="/certify", **settings)


def test_every_view_has_an_endpoint_and_the_page_s_own_events_are_not_documented(client: Client) -> None:
    info = client.view_api(return_format="dict")
    assert isinstance(info, dict)
    assert list(info["named_endpoints"]) == ["/certify", "/compare", "/attack", "/learn"]
    assert not info["unnamed_endpoints"]
    for name, needed in (("certify", "scan"), ("compare", "scan"), ("attack", "scan"), ("learn", "scans")):
        parameters = info["named_endpoints"][f"/{name}"]["parameters"]
        assert [one["parameter_name"] for one in parameters if not one["parameter_has_default"]] == [needed]


def test_every_step_of_the_stream_holds_a_certificate_that_verifies(client: Client, scan_file: Path) -> None:
    job = submit(client, scan_file, votes=2_000)
    last = job.result(timeout=60)
    steps = job.outputs()
    assert len(steps) >= 2
    records = [step["certificate"] for step in steps if step["certificate"] is not None]
    assert all(verify(record).ok for record in records)
    radii = [step["radius"] or 0.0 for step in steps]
    assert radii == sorted(radii)
    assert last["certificate"]["total"] == last["certificate"]["max_votes"] == 2_000
    assert last["state"] in ("certified", "abstained")
    assert last["sentence"]


def test_the_settings_reach_the_certificate(client: Client, scan_file: Path) -> None:
    result = submit(
        client,
        scan_file,
        task="own",
        class_names="cat; dog; neither",
        template="a photo of {}.",
        noise_level=0.5,
        votes=100,
    ).result(timeout=60)
    record = result["certificate"]
    assert record["class_names"] == ["cat", "dog", "neither"]
    assert record["templates"] == ["a photo of {}."]
    assert record["noise_level"] == 0.5
    assert record["seed_origin"] == "fresh"


def test_a_series_and_a_frame_of_a_zip_are_chosen(client: Client, tmp_path: Path, server: Server) -> None:
    """Each slice has a window of its own, which stands in its certificate."""
    tags = {"WindowWidth": "50", "InstanceNumber": ["1", "2", "3"], "WindowCenter": ["10", "20", "30"]}
    path = tmp_path / "jane-doe-1970.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for modality, number in (("CT", "1"), ("MR", "2")):
            for place, content in enumerate(series([15, 25, 35], modality, 2, SeriesNumber=number, **tags)):
                archive.writestr(f"jane/{modality}{place}", content)
    said = submit(client, path, votes=100, series=2, frame=3).result(timeout=60)["certificate"]["preprocessing"]
    assert (said["series"], said["frame"], said["window"]["center"]) == (2, 3, 30)
    said = submit(client, path, votes=100, series=1).result(timeout=60)["certificate"]["preprocessing"]
    assert (said["series"], said["frame"], said["window"]["center"]) == (1, 2, 20)
    job = client.submit(scan=handle_file(path), votes=100, series=2, frame=1, api_name="/compare")
    for record in job.result(timeout=60)["certificates"]:
        assert (record["preprocessing"]["series"], record["preprocessing"]["frame"]) == (2, 1)
    for asked, words in (({}, "2 series: 1 CT × 3; 2 MR × 3"), ({"series": 2, "frame": 9}, "no frame 9")):
        with pytest.raises(AppError) as refusal:
            submit(client, path, votes=100, **asked).result(timeout=60)
        assert words in str(refusal.value)
        assert "jane" not in str(refusal.value)
    assert "jane" not in server.output.read_text("utf-8")


def a_volume(folder: Path) -> tuple[Path, dict[str, Any]]:
    """A volume, and a slice of it that nobody sees without asking."""
    nib: Any = pytest.importorskip("nibabel")
    values = np.random.default_rng(0).integers(-900, 900, (20, 24, 28)).astype(np.int16)
    path = folder / "jane-doe-1970.nii"
    path.write_bytes(nib.Nifti1Image(values, np.eye(4)).to_bytes())
    return path, {"plane": "coronal", "frame": 5}


def a_slide(folder: Path) -> tuple[Path, dict[str, Any]]:
    """A slide that was scanned at a magnification of 20, and a part of it at half of that."""
    pytest.importorskip("openslide")
    rows, columns = np.mgrid[0:600, 0:800] * 255 // 800
    values = np.stack([rows, columns, columns], -1).astype(np.uint8)
    path, told = folder / "jane-doe-1970.svs", "Aperio Image Library v1.0\nx|AppMag = 20"
    options: dict[str, Any] = {"photometric": "rgb", "tile": (240, 240), "metadata": None, "compression": "jpeg"}
    tifffile.imwrite(path, values, description=told, **options)
    return path, {"region": "100,50,10"}


@pytest.mark.parametrize("make", [a_volume, a_slide])
def test_a_plane_and_a_region_are_chosen_as_on_the_command_line(
    client: Client, tmp_path: Path, tiny_model_folder: Path, server: Server, make: Any
) -> None:
    path, chosen = make(tmp_path)
    out = tmp_path / "certificate.json"
    options = [text for name, value in chosen.items() for text in (f"--{name}", str(value))]
    asked = [path, "--model", f"local-dir:{tiny_model_folder}", "--task", "chest_xray", "--votes", 100, *options]
    command = [sys.executable, "-m", "psmooth", "certify", *map(str, asked), "--out", str(out)]
    assert subprocess.run(command, check=False).returncode in (0, 3), "certified or abstained"
    expected = json.loads(out.read_text("utf-8"))
    usual = submit(client, path, votes=100).result(timeout=60)["certificate"]
    compared = client.submit(scan=handle_file(path), votes=100, api_name="/compare", **chosen).result(timeout=60)
    found = submit(client, path, votes=100, **chosen).result(timeout=60)["certificate"]
    for record in (found, *compared["certificates"]):
        assert record["crop_sha256"] == expected["crop_sha256"] != usual["crop_sha256"]
        assert record["preprocessing"] == expected["preprocessing"]
    for wrong, words in (({"region": "1,2"}, "left,top,magnification"), ({"plane": "oblique"}, "coronal")):
        with pytest.raises(AppError, match=words):
            submit(client, path, votes=100, **wrong).result(timeout=60)
    assert "jane" not in server.output.read_text("utf-8")


def test_a_target_radius_ends_a_run_early(client: Client, scan_file: Path) -> None:
    record = submit(client, scan_file, votes=100_000, target_radius=0.01, noise_level=0.1).result(timeout=60)[
        "certificate"
    ]
    assert record["ended"] == "target_radius" or record["verdict"] == "abstained"
    if record["ended"] == "target_radius":
        assert record["radius"] >= 0.01
        assert record["total"] < 100_000


def test_no_number_of_votes_is_as_many_as_needed(client: Client, scan_file: Path) -> None:
    record = submit(client, scan_file, votes=0, noise_level=0.1).result(timeout=120)["certificate"]
    assert (record["max_votes"], record["tolerance"]) == (10_000, 0.2)
    assert record["ended"] == ("settled" if record["total"] < 10_000 else "complete")


@pytest.mark.parametrize(
    ("content", "settings", "words"),
    [
        (b"this is no picture", {}, "PNG"),
        (b"", {}, "PNG"),
        (None, {"task": "own", "class_names": "only one"}, "at least two"),
        (None, {"task": "own", "class_names": "a; b", "template": "no place"}, "{}"),
        (None, {"votes": -1}, "max_votes"),
        (None, {"votes": 5_000_000}, "max_votes"),
        (None, {"target_radius": -1}, "target_radius"),
    ],
    ids=["not a picture", "empty", "one class", "no place", "no votes", "too many votes", "target below 0"],
)
def test_what_cannot_be_used_is_refused_in_a_sentence(
    client: Client, scan_file: Path, content: bytes | None, settings: dict[str, Any], words: str
) -> None:
    if content is not None:
        scan_file.write_bytes(content)
    with pytest.raises(AppError) as refusal:
        submit(client, scan_file, **settings).result(timeout=60)
    assert words in str(refusal.value)
    assert "Traceback" not in str(refusal.value)
    assert scan_file.stem not in str(refusal.value)


def test_compare_streams_every_method_and_ends_with_their_certificates(client: Client, scan_file: Path) -> None:
    job = client.submit(scan=handle_file(scan_file), votes=100, api_name="/compare")
    last = job.result(timeout=60)
    assert [group["kind"] for group in last["groups"]] == ["unconditional", "frozen_prompt"]
    assert last["curve"]["levels"] == [0.1, 0.25, 0.5, 1.0]
    assert {record["guarantee"] for record in last["certificates"]} == {"unconditional", "frozen_prompt"}
    assert all(verify(record).ok for record in last["certificates"])


def test_attack_streams_what_was_found_and_ends_with_its_record(client: Client, scan_file: Path) -> None:
    job = client.submit(scan=handle_file(scan_file), votes=100, api_name="/attack")
    last = job.result(timeout=120)
    steps: Any = job.outputs()
    states = [step["state"] for step in steps]
    assert states[-1] == "done"
    assert {"running", "done"} <= set(states)
    certificate = last["attack"]["certificate"]
    check_attack(last["attack"], certificate, certificate["preprocessing"]["size"], "attack")
    assert verify(certificate).ok
    assert last["attack"]["radius"] == (certificate["radius"] or 0.0)
    assert all(sum(point["counts"]) == point["votes"] for point in last["attack"]["points"])
    assert "proves nothing; the certificate does" in last["about"]


def test_learn_streams_its_loss_and_ends_with_a_bank_that_loads(client: Client, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "scans.zip", "w") as archive:
        for number in range(3):
            content = io.BytesIO()
            Image.fromarray(np.full((40, 40, 3), 60 * number, np.uint8)).save(content, "PNG")
            archive.writestr(f"{number}.png", content.getvalue())
    job = client.submit(scans=handle_file(tmp_path / "scans.zip"), way="label_free_probe", api_name="/learn")
    bank = job.result(timeout=60)["bank"]
    (tmp_path / bank["name"]).write_bytes(base64.b64decode(bank["file"]))
    assert load_bank(tmp_path / bank["name"]).facts.pool == 3


@pytest.mark.skipif(not resource("assets", "pocket", "pocket-noisy.safetensors").exists(), reason="no bundled weights")
def test_the_bundled_model_certifies_the_phantom_that_the_page_opens_with(client: Client, tmp_path: Path) -> None:
    first = PHANTOMS.items[0]
    Image.fromarray(draw_phantom(first.task, first.class_id, first.seed).pixels).save(tmp_path / "phantom.png")
    record = submit(client, tmp_path / "phantom.png", model="pocket-noisy", task=first.task).result(timeout=120)[
        "certificate"
    ]
    assert record["predicted"] == first.class_id
    assert record["model"]["id"] == "pocket-noisy"
    assert record["radius"] > 0.1


def test_a_noise_level_off_the_slider_is_refused(client: Client, scan_file: Path) -> None:
    with pytest.raises(AppError):
        submit(client, scan_file, noise_level=0).result(timeout=60)


def test_a_cancelled_run_leaves_the_device_free(client: Client, scan_file: Path, slow_model_folder: Path) -> None:
    long = submit(client, scan_file, model=f"local-dir:{slow_model_folder}", votes=100_000)
    assert soon(lambda: any("votes" in step for step in long.outputs()))
    long.cancel()
    assert submit(client, scan_file, votes=100).result(timeout=60)["certificate"]["total"] == 100
    assert long.outputs()[-1]["votes"] < 100_000


def test_no_upload_stays_on_the_disk_and_no_file_name_in_the_log(
    client: Client, server: Server, scan_file: Path
) -> None:
    submit(client, scan_file, votes=100).result(timeout=60)
    assert not [path for path in server.uploads.rglob("*") if path.is_file() and path.stat().st_size]
    assert scan_file.stem not in server.output.read_text("utf-8")


@pytest.mark.parametrize("given", ["0.25", [0.25], {"a": 1}, True, None])
@pytest.mark.parametrize(("name", "kind"), [("noise_level", "number"), ("votes", "number"), ("model", "text")])
def test_what_is_of_another_kind_is_refused_by_its_name(
    client: Client, scan_file: Path, name: str, kind: str, given: Any
) -> None:
    given = 0.25 if (kind, given) == ("text", "0.25") else given
    with pytest.raises(AppError, match=f"{name} is .*; it must be a {kind}\\."):
        submit(client, scan_file, **{name: given}).result(timeout=60)
