"""What the viewer is sent of a scan's grey values, and what the menus say of a window by hand."""

import base64
import zlib
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from psmooth.errors import ScanError
from psmooth.interface import looking
from psmooth.interface.looking import OWN, frame_pictures, look, name_window
from psmooth.interface.requests import ChosenScan
from psmooth.interface.session import Session
from psmooth.scans import Scan, Window, apart, open_scan
from psmooth.scans.scan import Offer
from psmooth.views import levels
from psmooth.views.levels import LONGEST, Levels
from tests.dicoms import dicom, file_of

OFFERS = (Offer("lung", Window(-600, 1500, "linear")), Offer("bone", Window(400, 1800, "linear")))


def scan_of(values: np.ndarray, unit: str = "HU") -> Scan:
    return Scan(values, "", "DICOM", unit=unit, offers=OFFERS)


def values_of(sent: Levels) -> np.ndarray:
    """As the viewer reads them."""
    words = np.frombuffer(zlib.decompress(base64.b64decode(sent["codes"])), "<u2")
    return words.reshape(sent["rows"], sent["columns"]) * sent["step"] + sent["low"]


def test_whole_numbers_are_sent_as_they_are() -> None:
    values = np.random.default_rng(0).integers(-1_024, 3_072, (40, 60)).astype(np.int32)
    sent = levels(scan_of(values))
    assert sent["whole"]
    assert np.array_equal(values_of(sent), values)
    assert sent["offers"][0][1:] == [-600, 1500, "linear"]
    assert sent["offers"][0][0] == "lung · −600 / 1500 HU"


@pytest.mark.parametrize("span", [1e-3, 7.0, 5e6])
def test_other_numbers_are_sent_to_half_a_step_of_65_535(span: float) -> None:
    values = (np.random.default_rng(0).random((40, 60)) * span).astype(np.float32)
    sent = levels(scan_of(values))
    assert np.abs(values_of(sent) - values).max() <= 0.5001 * span / 65_535
    assert not sent["whole"]


def test_no_number_is_as_low_as_the_lowest() -> None:
    values = np.linspace(2, 5, 32 * 32, dtype=np.float32).reshape(32, 32)
    values[3, 4] = np.nan
    sent = values_of(levels(scan_of(values)))
    assert (sent[3, 4], sent.max()) == (2, pytest.approx(5))


def test_a_large_scan_is_sent_reduced() -> None:
    values = np.tile(np.arange(4_000, dtype=np.uint16), (2_000, 1))
    sent = levels(scan_of(values))
    assert (sent["columns"], sent["rows"]) == (LONGEST, LONGEST // 2)
    across = (np.arange(LONGEST) + 0.5) * 4_000 / LONGEST
    assert np.abs(values_of(sent)[5] - across).max() < 8


def test_a_flat_scan() -> None:
    sent = levels(scan_of(np.full((20, 20), 7.5, np.float32)))
    assert np.array_equal(values_of(sent), np.full((20, 20), 7.5))


def test_the_menu_names_a_window_of_ones_own_and_knows_those_of_the_scan() -> None:
    session = Session(ChosenScan(scan_of(np.zeros((32, 32), np.int32))))
    own = name_window(session, 40.0, 380.0)
    assert (own.value, own.choices[-1]) == (OWN, ("your own · 40 / 380 HU", OWN))
    known = name_window(session, 400.0, 1_800.0)
    assert (known.value, len(known.choices)) == (1, 2)


def test_frames_through_a_window_that_cannot_be_cost_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    data = file_of(dicom(np.stack([np.arange(512, dtype=np.uint16).reshape(16, 32)] * 2), frames=2))
    session, asked = Session(ChosenScan(open_scan(data), file=data)), []
    monkeypatch.setattr(apart, "_asked", lambda *given: asked.append(given))
    event: Any = SimpleNamespace(_data={"asked": 1, "first": 1})
    for center, width in ((40.0, -1.0), (40.0, float("nan")), (float("inf"), 1.0), (40.0, 2e6), (-2e6, 1.0)):
        with pytest.raises(ScanError, match="is not possible"):
            frame_pictures(session, center, width, event)
    assert not asked


def test_where_a_frame_cannot_be_drawn_its_reading_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the error is kept, and with it the frames that it went through."""
    data = file_of(dicom(np.stack([np.arange(512, dtype=np.uint16).reshape(16, 32)] * 2), frames=2))
    session = Session(ChosenScan(open_scan(data), file=data))

    def fail(*_: object) -> None:
        raise ScanError("no picture")

    monkeypatch.setattr(looking, "scan_picture", fail)
    with pytest.raises(ScanError) as kept:
        frame_pictures(session, 40.0, 80.0, SimpleNamespace(_data={"asked": 1, "first": 1}))  # type: ignore[arg-type]
    assert [apart._turns.acquire(blocking=False) for _ in range(apart._AT_ONCE)] == [True] * apart._AT_ONCE
    apart._turns.release(apart._AT_ONCE)
    assert "no picture" in str(kept.value)


def test_frames_where_the_fields_of_the_window_are_empty_are_seen_as_usual() -> None:
    data = file_of(dicom(np.stack([np.arange(512, dtype=np.uint16).reshape(16, 32)] * 2), frames=2))
    session = Session(ChosenScan(open_scan(data), file=data))
    usual = session.scan and session.scan.window
    assert usual
    event: Any = SimpleNamespace(_data={"asked": 1, "first": 1})
    seen = [frame_pictures(session, *fields, event) for fields in ((usual.center, usual.width), (None, None))]
    assert seen[0]["pictures"][0]
    assert seen[0]["pictures"][0] == seen[1]["pictures"][0]


def test_no_question_has_a_number_that_fits_into_no_answer() -> None:
    session = Session(ChosenScan(scan_of(np.zeros((32, 32), np.int32))))
    event: Any = SimpleNamespace(_data={"asked": "9" * 30})
    assert 0 <= look(session, event)["asked"] < 2**31
