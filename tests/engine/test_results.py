"""The view Results: its rows say what the summaries say, and a file from anyone is drawn or refused in words."""

import importlib.util
import io
import json
import random
import re
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import beta, norm

from psmooth.certificate import Plan, Votes
from psmooth.errors import CertificateError
from psmooth.files import resource
from psmooth.interface.handlers import open_records, ship_records
from psmooth.interface.session import Session
from psmooth.interface.uploads import Upload
from psmooth.smoothing import brought
from psmooth.smoothing.brought import read_brought
from psmooth.smoothing.curves import MILLION, MOST_STEPS, MYRIAD, Row, rows_of
from psmooth.smoothing.intervals import effective_size
from psmooth.smoothing.records import radius_at_end
from psmooth.smoothing.summary import RADII, certified_curve
from psmooth.views.locale import Locale
from psmooth.views.results import MEAN, RETRAINED

ROOT = Path(__file__).resolve().parents[2]
EVALUATION = ROOT / "docs" / "evaluation"
DOCUMENT = ROOT / "docs" / "results.md"
SHIPPED: dict[str, Any] = json.loads(resource("assets", "results.json").read_text("utf-8"))
ODD: tuple[Any, ...] = (
    None, True, -1, 0, 1e308, 10**30, 10**400, float("nan"), "", "a", "\ud800", "x" * 1_000, [], ["a"], {}, {"a": 1},
)  # fmt: skip
SCANS = [f"{number:064x}" for number in range(6)]


def share_at(row: Row, radius: float) -> tuple[int, int, int]:
    """What a row says at a radius: the last step that is not beyond it."""
    step = max(place for place, one in enumerate(row["radii"]) if one <= radius * MILLION)
    return row["shares"][step], row["lows"][step], row["highs"][step]


# --- the records that ship


def test_every_row_says_at_each_radius_what_the_summary_of_its_records_says() -> None:
    rows = {(row["model"], row["task"], row["method"], row["denoiser"], row["noise"], row["guarantee"]): row
            for row in SHIPPED["rows"]}  # fmt: skip
    assert len(rows) == len(SHIPPED["rows"])
    left = set(rows)
    for file in EVALUATION.glob("*/summary.json"):
        for told in json.loads(file.read_text("utf-8")):
            key = tuple(told[name] for name in ("model", "task", "method", "denoiser", "noise_level", "guarantee"))
            row = rows[key]
            left.remove(key)
            for radius in RADII:
                expected = [round(MYRIAD * value) for value in told["certified"][f"{radius:g}"]]
                assert list(share_at(row, radius)) == expected, (key, radius)
            assert (row["scans"], row["votes"]) == (told["scans"], told["max_votes"])
            for mine, theirs in (("clean", "clean"), ("abstained", "abstained"), ("largest", "largest_share")):
                assert row[mine] == round(MYRIAD * told[theirs])  # type: ignore[literal-required]
    assert {one[1] for one in left} == {MEAN}


def test_means_of_tasks_are_those_of_the_table_in_words() -> None:
    """Two digits of share and ends at every radius, as the document has them, of every row at σ = 0.5."""
    rows = {(row["method"], row["denoiser"], row["guarantee"], row["model"]): row
            for row in SHIPPED["rows"] if row["task"] == MEAN and row["noise"] == 0.5}  # fmt: skip
    table = re.findall(r"(?m)^\| (\w+) \| ([\w-]+) \| ([*\w, ]+) \| (0\.\d.*) \|$", DOCUMENT.read_text("utf-8"))
    assert len(table) == len(rows) > 20
    for method, denoiser, said, cells in table:
        kind = "frozen_prompt" if "frozen" in said else "unconditional"
        row = rows[method, denoiser, kind, RETRAINED if "retrained" in said else "pocket"]
        for radius, cell in zip(RADII, cells.split(" | "), strict=True):
            share, low, high = map(float, re.findall(r"\d\.\d+", cell))
            found = [one / MYRIAD for one in share_at(row, radius)]
            assert abs(found[0] - share) < 0.00511
            assert low - 2e-4 <= found[1] < low + 0.0102
            assert high - 0.0102 < found[2] <= high + 2e-4
        tasks = [one for one in SHIPPED["rows"] if one["task"] in SHIPPED["mean_of"] and alike(one, row)]
        assert len(tasks) == 4
        assert row["scans"] == sum(one["scans"] for one in tasks)
        assert row["clean"] == pytest.approx(np.mean([one["clean"] for one in tasks]), abs=1)
        assert row["average"] == pytest.approx(np.mean([one["average"] for one in tasks]), abs=1)


def alike(one: Row, other: Row) -> bool:
    return all(one[name] == other[name] for name in ("model", "method", "denoiser", "noise", "guarantee"))  # type: ignore[literal-required]


def test_the_rows_that_ship_are_made_from_the_records_that_ship() -> None:
    spec = importlib.util.spec_from_file_location("curves", EVALUATION / "curves.py")
    assert spec is not None
    assert spec.loader is not None
    curves = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(curves)
    assert {name: SHIPPED[name] for name in curves.SHARED} == curves.shared_facts()
    for folder in ("dermoscopy-noisy", "blood_cells-noisy", "breast_ultrasound-noisy"):
        for row in curves.rows_in(EVALUATION / folder):
            assert row in SHIPPED["rows"]


def test_the_average_radius_is_the_area_under_the_curve() -> None:
    for row in SHIPPED["rows"]:
        areas = [
            share * (to - start) for share, (start, to) in zip(row["shares"], pairwise(row["radii"]), strict=False)
        ]
        assert sum(areas) / MYRIAD == pytest.approx(row["average"], abs=len(areas) + 100)  # in millionths


def test_frozen_prompts_are_never_unconditional_in_what_ships() -> None:
    for row in SHIPPED["rows"]:
        tuned = row["method"] in ("zero_shot", "combined")
        assert not tuned or row["guarantee"] == "frozen_prompt"
    assert {row["method"] for row in SHIPPED["rows"] if row["model"] == "pocket-noisy"} == {"template"}


def test_the_scripts_read_what_a_row_has() -> None:
    folder = Path(str(resource("assets", "page")))
    scripts = [re.sub(r"(?m)//.*$", "", file.read_text("utf-8")) for file in sorted(folder.glob("results_*.js"))]
    read = {name for text in scripts for name in re.findall(r"(?<![\w.])row\.(\w+)\b(?!\()", text)}
    assert read >= {"radii", "shares", "average", "largest"}
    assert read <= {*Row.__required_keys__}


def test_the_printed_figures_are_those_of_the_table_and_say_whose() -> None:
    printed = json.loads(resource("assets", "printed.json").read_text("utf-8"))
    assert "Table 2" in printed["source"]
    assert printed["address"].endswith("2408.16769")
    for row in printed["rows"]:
        assert len(row["percent"]) == len(printed["radii"])
        assert all(first >= second for first, second in pairwise(row["percent"]))
    assert {row["name"] for row in printed["rows"] if row["guarantee"] == "frozen_prompt"} == {
        "Zero-shot PromptSmooth",
        "PromptSmooth",
    }
    assert {row["name"]: row["scans"] for row in printed["rows"] if "scans" in row} == {"Diffusion Smoothing": 100}


# --- a file that comes alone


def line(number: int, label: str = "a", **changes: Any) -> dict[str, Any]:
    """One record: two classes, a hundred votes, the class a."""
    told = {
        "scan": SCANS[number], "label": label, "method": "template", "denoiser": "none", "noise_level": 0.5,
        "clean": "a", "radius": 0.4, "predicted": "a", "guarantee": "unconditional", "counts": {"a": 90, "b": 10},
        "total": 100, "run": "0" * 16,
    }  # fmt: skip
    return {**told, **changes}


def file_of(*lines: Any) -> bytes:
    return b"".join(json.dumps(one).encode() + b"\n" for one in lines)


def drawn(*lines: Any) -> list[Row]:
    return rows_of(*read_brought(file_of(*lines)))


def test_records_that_come_alone_are_added_up_like_those_that_ship() -> None:
    lines = [line(0), line(1), line(2, "b"), line(3, "b", predicted="b", radius=0.2, counts={"a": 20, "b": 80})]
    lines += [line(4, "b", predicted=None, radius=0)]
    (row,) = drawn(*lines)
    assert row["radii"] == [0, 200_000, 400_000]
    assert row["shares"] == [round(MYRIAD * (1 + 1 / 3) / 2), round(MYRIAD * 1 / 2), 0]
    size = effective_size([2, 3])
    assert row["lows"][1] / MYRIAD == pytest.approx(beta.ppf(0.025, size / 2, size / 2 + 1), abs=1e-4)
    assert row["highs"][1] / MYRIAD == pytest.approx(beta.ppf(0.975, size / 2 + 1, size / 2), abs=1e-4)
    assert row["average"] == pytest.approx(MILLION * (0.4 + 0.2 / 3) / 2, abs=1)
    assert (row["scans"], row["abstained"], row["clean"]) == (5, 2_000, 5_000)
    assert (row["model"], row["task"]) == (None, None)


def test_a_curve_of_many_steps_is_thinned_and_never_above_what_it_was() -> None:
    chance = np.random.default_rng(3)
    counts = {"a": 1_000, "b": 0}
    lines = [
        line(0, "ab"[number % 2], scan=f"{number:064x}", predicted="a", counts=counts, total=1_000, radius=radius)
        for number, radius in enumerate(chance.uniform(0.01, 1.5, 5_000).tolist())
    ]
    (row,) = drawn(*lines)
    radii, shares = certified_curve(lines)
    assert len(radii) == 2_501, "half of the answers are right"
    assert MOST_STEPS / 2 < len(row["radii"]) <= MOST_STEPS
    assert share_at(row, 0)[0] == round(MYRIAD * shares[0])
    assert row["shares"][-1] == 0
    for radius in chance.uniform(0, 1.6, 2_000):
        whole = MYRIAD * shares[int(np.searchsorted(radii, radius, "right")) - 1]
        share, low, high = share_at(row, radius)
        assert whole - MYRIAD / 500 < share <= whole + 0.5
        assert low <= share <= whole + 0.5 <= high + 1


def test_the_task_is_known_by_its_classes() -> None:
    for folder in ("oral_histology-noisy", "brain_mri-noisy"):
        rows = rows_of(*read_brought((EVALUATION / folder / "records.jsonl").read_bytes()))
        assert {row["task"] for row in rows} == {folder.removesuffix("-noisy")}
        shipped = [row for row in SHIPPED["rows"] if (row["model"], row["task"]) == ("pocket-noisy", rows[0]["task"])]
        assert [{**row, "model": "pocket-noisy"} for row in rows] == shipped


def test_kinds_of_guarantee_stand_in_rows_of_their_own() -> None:
    rows = drawn(line(0), line(1, guarantee="frozen_prompt"), line(2, run="1" * 16, method="combined",
                                                                   guarantee="frozen_prompt"))  # fmt: skip
    assert [(row["method"], row["guarantee"]) for row in rows] == [
        ("template", "unconditional"), ("template", "frozen_prompt"), ("combined", "frozen_prompt")
    ]  # fmt: skip


def test_a_torn_last_line_and_a_line_that_comes_twice_count_for_nothing() -> None:
    whole = file_of(line(0), line(1), line(1))
    (row,) = rows_of(*read_brought(whole + b'{"scan": "00'))
    assert row["scans"] == 2
    (row,) = rows_of(*read_brought(whole.replace(b"\n", b"\r\n")))
    assert row["scans"] == 2
    (row,) = rows_of(*read_brought(whole[:-1]))
    assert row["scans"] == 2


ALTERED: dict[str, Any] = {
    "a frozen prompt that says it is none": line(0, method="zero_shot"),
    "another method": line(0, method="<b>"),
    "another denoiser": line(0, denoiser="learned-mirror-mirror"),
    "no noise": line(0, noise_level=0),
    "a scan by its name": line(0, scan="patient.png"),
    "a run by another name": line(0, run="../runs"),
    "a class that gets no votes": line(0, predicted="c"),
    "a label that is no class": line(0, label="c"),
    "more votes than were cast": line(0, total=99),
    "a vote below nothing": line(0, counts={"a": 101, "b": -1}),
    "half a vote": line(0, counts={"a": 90.5, "b": 9}),
    "no votes": line(0, counts={"a": 0, "b": 0}),
    "more votes than a run may have": line(0, counts={"a": 10**18, "b": 0}, total=10**18, radius=1e305),
    "one class": line(0, counts={"a": 90}),
    "a name without end": line(0, counts={"a": 90, "b" * 201: 10}),
    "a radius without a class": line(0, predicted=None),
    "a class without a radius": line(0, radius=0),
    "true for a number": line(0, total=True),
    "a list": [line(0)],
    "nothing": None,
}


@pytest.mark.parametrize("name", ALTERED)
def test_a_line_that_no_evaluation_writes_is_refused_by_its_number(name: str) -> None:
    with pytest.raises(CertificateError, match="Line 2 is no record"):
        drawn(line(1), ALTERED[name])


@pytest.mark.parametrize("radius", [0.65, 4.0, 1e300])
def test_a_radius_beyond_what_its_votes_could_ever_give_is_refused(radius: float) -> None:
    """Of 90 and 10 votes in 100 no bound gives more than σ · Φ⁻¹(0.9) = 0.641."""
    with pytest.raises(CertificateError, match="Line 1 states a larger radius"):
        drawn(line(0, radius=radius))
    assert drawn(line(0, radius=0.64))


@pytest.mark.parametrize("radius", [1.24, 4.0, 1e300, 1e305])
@pytest.mark.parametrize("classes", ["ab", "abc"])
def test_votes_that_all_agree_do_not_allow_any_radius(classes: str, radius: float) -> None:
    """Of 100 votes that agree, α = 0.5 gives σ · Φ⁻¹(0.5^(1/100)) = 1.231."""
    assert 0.5 * norm.ppf(0.5 ** (1 / 100)) == pytest.approx(1.231, abs=1e-3)
    counts = {**dict.fromkeys(classes, 0), "a": 100}
    with pytest.raises(CertificateError, match="Line 1 states a larger radius"):
        drawn(line(0, radius=radius, counts=counts))
    assert drawn(line(0, radius=1.23, counts=counts))


def test_what_an_evaluation_can_state_is_never_refused() -> None:
    """Whatever the plan, the votes and the classes, at the largest α that counts and at a small one."""
    drawn_ones = 0
    for total, share, classes, alpha, plan in product(
        (2, 7, 100, 10_000), (0.4, 0.8, 0.99, 1), "23", (0.5, 0.001), ("live", "paper")
    ):
        votes = round(share * total)
        counts = {"a": votes, "b": total - votes, **({"c": 0} if classes == "3" else {})}
        chosen = Votes((1, *[0] * (len(counts) - 1)), tuple(counts.values()))
        radius = radius_at_end(Plan(total, alpha, plan), 0.5, chosen)
        if radius > 0:
            drawn_ones += len(drawn(line(0, radius=radius, counts=counts, total=total)))
    assert drawn_ones > 50


@pytest.mark.parametrize(
    ("second", "field"),
    [
        (line(1, method="few_shot"), "run"),
        (line(1, noise_level=0.25, radius=0.1), "run"),
        (line(1, denoiser="gaussian"), "run"),
        (line(1, total=200, radius=0.1, counts={"a": 180, "b": 10}), "run"),
        (line(1, counts={"a": 90, "c": 10}), "run"),
        (line(0, "b", run="1" * 16), "label"),
    ],
)
def test_lines_that_disagree_are_refused(second: dict[str, Any], field: str) -> None:
    with pytest.raises(CertificateError, match=f"Line 2 does not agree with the lines before it in its {field}"):
        drawn(line(0), second)


BYTES: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "empty lines": lambda: b"\n" * 1_000,
    "deep": lambda: b"[" * 200_000 + b"\n",
    "one long line": lambda: file_of(line(0, clean="a" * 100_000)),
    "letters": lambda: "\ud83e\ude7b не то".encode("utf-8", "surrogatepass") + b"\n",
    "another encoding": lambda: file_of(line(0)).decode().encode("utf-16"),
    "a picture": lambda: b"\x89PNG\r\n\x1a\n" + bytes(range(256)),
    "NaN": lambda: file_of(line(0, radius=float("nan"))),
    "Infinity": lambda: file_of(line(0, noise_level=float("inf"))),
    "a field twice": lambda: file_of(line(0)).replace(b'"radius": 0.4', b'"radius": 0.1, "radius": 0.4'),
    "a number of any length": lambda: file_of(line(0)).replace(b'"total": 100', b'"total": 1' + b"0" * 5_000),
}


@pytest.mark.parametrize("name", BYTES)
def test_whatever_is_no_records_file_is_refused_in_a_sentence(name: str) -> None:
    with pytest.raises(CertificateError, match=r"no record .*`psmooth evaluate`"):
        read_brought(BYTES[name]())


def test_what_is_too_much_is_refused_before_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(brought, "_record", lambda *_: pytest.fail("a line was read"))
    with pytest.raises(CertificateError, match="larger than 16 MB"):
        read_brought(b"x" * (brought.MOST_BYTES + 1))


def test_lines_and_runs_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(brought, "MOST_LINES", 3)
    monkeypatch.setattr(brought, "MOST_RUNS", 2)
    with pytest.raises(CertificateError, match="more than 3 lines"):
        drawn(*(line(0) for _ in range(4)))
    with pytest.raises(CertificateError, match="Line 3"):
        drawn(*(line(0, run=f"{number:016x}") for number in range(3)))


def test_any_value_anywhere_is_drawn_or_refused_in_a_sentence() -> None:
    told = line(0)
    changes: list[Any] = [*ODD, *({**told, field: odd} for field in told for odd in ODD)]
    changes += [{name: one for name, one in told.items() if name != field} for field in told]
    refused = 0
    for change in changes:
        try:
            assert drawn(change)
        except CertificateError:
            refused += 1
    assert refused > 0.9 * len(changes)


def test_damaged_files_are_drawn_or_refused_in_a_sentence() -> None:
    """Bytes of a real file turned, cut out and doubled at random places."""
    chance = random.Random(5)
    whole = (EVALUATION / "dermoscopy-noisy" / "records.jsonl").read_bytes()
    for _ in range(300):
        data, place = bytearray(whole), chance.randrange(len(whole))
        kind = chance.randrange(3)
        if kind == 0:
            data[place] = chance.randrange(256)
        elif kind == 1:
            del data[place : place + chance.randrange(600)]
        else:
            data[place:place] = data[: chance.randrange(600)]
        with suppress(CertificateError):
            assert rows_of(*read_brought(bytes(data)))


# --- in a session


def upload_of(data: bytes) -> Upload:
    return Upload(io.BytesIO(data), len(data))


def test_a_session_shows_them_says_it_again_in_another_language_and_forgets_them() -> None:
    session = Session()
    shown = open_records(session, upload_of(file_of(line(0), line(1))))
    assert (shown["state"], len(shown["rows"])) == ("own", 1)
    assert SCANS[0] not in json.dumps(shown), "scans are counted, and not named"
    session.locale = Locale("de")
    said = session.resaid("results")
    assert said is not None
    assert said["sentence"] != shown["sentence"]
    assert said["rows"] == shown["rows"]
    assert ship_records(session)["rows"] is None
    assert "template" not in repr(session.shown)


@pytest.mark.parametrize("file", [None, upload_of(b"no records\n")])
def test_a_file_that_cannot_be_read_is_a_sentence(file: Upload | None) -> None:
    shown = open_records(Session(), file)
    assert shown["state"] == "failed"
    assert shown["sentence"].endswith((".", "again."))
