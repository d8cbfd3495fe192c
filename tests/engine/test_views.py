"""Words, numbers and pictures: nothing that is printed may say more than what is certified."""

import base64
import io
import json
import re
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from psmooth import views
from psmooth.certificate import Abstention, Certificate, Plan, Votes, advance, conclude, verify
from psmooth.files import resource
from psmooth.scans import CropRule, Landmark, crop_scan, landmarks, open_scan
from psmooth.tasks import TASKS
from psmooth.views.compare import COMPARE_WORDS
from psmooth.views.learn import LEARN_WORDS
from psmooth.views.locale import LANGUAGES, Locale, class_words, using_locale
from tests.records import a_progress, a_result, a_run

EVIL = '<img src=x onerror="window.hacked=1">'


# --- numbers


def test_a_radius_is_floored_at_every_number_of_digits() -> None:
    for radius in [*np.random.default_rng(0).uniform(0, 4, 500), 0.27, 0.2699999999, 0.9999, 1.0, 0.0005, 3.2]:
        for digits in (1, 2, 3, 5):
            shown = Decimal(views.radius_text(float(radius), digits))
            assert 0 <= Decimal(float(radius)) - shown < Decimal(1).scaleb(-digits)


def test_a_distance_that_is_covered_is_floored_like_the_radius() -> None:
    for size in [*np.random.default_rng(4).uniform(0, 30, 500), 0.2999, 0.995, 9.96, 0.3]:
        assert Decimal(views.size_text(float(size), covered=True)) <= Decimal(float(size))
    assert views.size_text(0.299, covered=True) == "0.29"


def test_a_joint_chance_is_the_exact_sum_rounded_up_and_at_most_one() -> None:
    one = a_result((900, 60, 40), "complete")
    odd = replace(one, run=replace(one.run, plan=Plan(failure_probability=0.00033333)))
    assert views.joint_alpha_text([one] * 28) == "0.028"
    assert views.joint_alpha_text([one] * 1_000) == views.joint_alpha_text([one] * 2_000) == "1"
    for count in range(1, 40):
        exact = count * Fraction("0.00033333")
        assert exact <= Fraction(views.joint_alpha_text([odd] * count)) < exact * Fraction("1.001")


def test_a_curve_s_hover_floors_what_plotly_would_round() -> None:
    figure = views.curves_figure(
        {"one": ("unconditional", [0.2999], [0.4999]), "two": ("frozen_prompt", [0.2999], [0.4999])}
    )
    plain, frozen = figure.to_dict()["data"]
    for trace in (plain, frozen):
        assert trace["hoverinfo"] == "text"
        assert "0.299:" in trace["text"][0]
        assert "49.9 %" in trace["text"][0]
    mark = views.guarantee_words("frozen_prompt")[0]
    assert mark in frozen["text"][0]
    assert mark == frozen["legendgrouptitle"]["text"]
    assert mark not in plain["text"][0]


def test_bounds_are_printed_on_the_safe_side() -> None:
    for share in np.random.default_rng(1).uniform(0, 1, 500):
        low = Decimal(views.at_least_text(float(share)).removesuffix(" %"))
        high = Decimal(views.at_most_text(float(share)).removesuffix(" %"))
        assert low <= Decimal(float(share)) * 100 <= high
        assert high - low <= Decimal("0.1")


@pytest.mark.parametrize(("alpha", "text"), [(0.001, "99.9 %"), (0.05, "95 %"), (1e-5, "99.999 %"), (0.5, "50 %")])
def test_confidence_is_one_minus_alpha(alpha: float, text: str) -> None:
    assert views.confidence_text(alpha) == text


def test_confidence_and_joint_chances_are_exact_down_to_the_smallest_alpha() -> None:
    one = a_result((900, 60, 40), "complete")
    for alpha in [*(10.0**-power for power in range(1, 101)), 1.2345678901234567e-100]:
        shown = views.confidence_text(alpha)
        assert Fraction(shown.removesuffix(" %")) == 100 * (1 - Fraction(str(alpha)))
        few = replace(one, run=replace(one.run, plan=Plan(failure_probability=alpha)))
        assert Fraction(views.joint_alpha_text([one, few])) >= Fraction("0.001") + Fraction(str(alpha))


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "1 s"), (59.2, "1 min 0 s"), (125, "2 min 5 s"), (1_201, "20 min")]
)
def test_durations(seconds: float, text: str) -> None:
    assert views.duration_text(seconds) == text


# --- sentences


def test_the_sentence_under_a_radius_is_the_agreed_one_word_for_word() -> None:
    result = a_result((900, 60, 40), "complete")
    assert isinstance(result, Certificate)
    radius = views.radius_text(result.radius)
    assert views.sentence(result) == (
        "With confidence 99.9 % over the noise drawn, the answer that an unlimited number of votes would give is "
        f"monocyte for every 8-bit crop closer than {radius}. "
        "Run again there, the program says monocyte or abstains, except with probability 0.001."
    )
    assert views.verdict_sentence(result) == f"The answer monocyte holds within {radius}."


def test_a_given_seed_is_a_condition_and_takes_nothing_from_alpha() -> None:
    words = views.sentence(a_result((900, 60, 40), "complete", a_run(seed_origin="given")))
    assert words.index("only one tried") < words.index("the answer that")
    assert "except with probability 0.001" in words


def test_nothing_is_certified_in_words_while_the_engine_abstains() -> None:
    for counts, ended in [((40, 38, 22), "running"), ((34, 33, 33), "stopped"), ((340, 330, 330), "complete")]:
        result = a_result(counts, ended)
        assert isinstance(result, Abstention)
        stage = views.stage(a_progress(result), "template", 128, [])
        assert stage["radius"]["text"] == "–"
        assert "not certified" in stage["radius"]["status"]
        assert "holds within" not in "".join(stage["headline"])
        assert stage["aside"] == ""
        assert "0.000" not in json.dumps({**stage, "certificate": None})


def test_the_paper_plan_says_that_it_leaves_nothing_when_it_is_ended_early() -> None:
    plan = Plan(max_votes=1_000, name="paper")
    assert "leaves no certificate" in views.sentence(a_result((90, 6, 4), "stopped", a_run(plan=plan)))


def test_the_state_line_reads_as_the_page_promises() -> None:
    result = a_result((566, 42, 32))
    assert views.state_line(a_progress(result), result) == "Counting · 640 of 1,000 votes · 1 s left · 362 votes/s"
    done = a_result((566, 42, 32), "stopped")
    assert views.state_line(a_progress(done), done) == "Stopped · 640 votes, stopped by you · 1.8 s · 362 votes/s"


@pytest.mark.parametrize(
    ("phase", "counts", "ended", "state"),
    [
        ("selection", (0, 0, 0), "running", "selecting"),
        ("estimation", (50, 1, 1), "running", "estimating"),
        ("done", (900, 60, 40), "complete", "certified"),
        ("done", (340, 330, 330), "complete", "abstained"),
        ("done", (90, 6, 4), "stopped", "stopped"),
        ("done", (90, 6, 4), "target_radius", "certified"),
    ],
)
def test_every_state_has_a_name_and_words(phase: Any, counts: tuple[int, ...], ended: Any, state: str) -> None:
    result = a_result(counts, ended)
    progress = a_progress(result, phase)
    assert views.state_of(progress, result) == state
    stage = views.stage(progress, "template", 128, [], "monocyte")
    assert all(stage[name] for name in ("line", "sentence", "announce"))


def test_a_phantom_s_truth_stands_beside_the_verdict_and_a_wrong_answer_is_called_wrong() -> None:
    result = a_result((900, 60, 40), "complete")
    said = [
        dict(views.facts(result, a_progress(result), "template", truth)) for truth in ("monocyte", "platelet", None)
    ]
    assert said[0] == {"Without smoothing": "lymphocyte", "Drawn as": "monocyte", "Model": "m @ 00000000 · x"}
    assert said[1]["Drawn as"] == "platelet: the answer is wrong"
    assert "Drawn as" not in said[2]


def test_model_bank_and_gallery_stand_there_with_revision_and_licence() -> None:
    bank = {"id": "people/banks/few_shot", "revision": None, "sha256": "b" * 64, "licence": "CC0"}
    gallery = {"id": "people/skin", "revision": "c" * 40, "licence": "cc-by-nc-4.0", "source": "A clinic"}
    result = a_result((900, 60, 40), "complete", a_run(method="few_shot", bank=bank, gallery=gallery))
    said = dict(views.facts(result, a_progress(result), "template", "nevus"))
    assert said["Model"] == "m @ 00000000 · x"
    assert said["Bank"] == "people/banks/few_shot @ bbbbbbbb · CC0"
    assert said["Gallery"] == "people/skin @ cccccccc · cc-by-nc-4.0"
    assert said["Labelled as"] == "nevus", "no class of the task: nobody knows"
    labelled = dict(views.facts(result, a_progress(result), "template", "platelet"))
    assert labelled["Labelled as"] == "platelet: the answer is wrong"
    printed = dict(views.report(result, 128)["rows"])
    assert printed["Model"] == f"m, revision {'0' * 64}, licence x"
    assert printed["Prompt bank"] == f"people/banks/few_shot, sha256 {'b' * 64}, licence CC0"
    assert printed["Gallery"] == f"people/skin, revision {'c' * 40}, licence cc-by-nc-4.0, A clinic"


def test_a_gallery_without_a_licence_says_so_and_a_visitor_s_own_scan_has_no_gallery() -> None:
    gallery = {"id": "slides", "revision": None, "licence": None, "source": None}
    result = a_result((900, 60, 40), "complete", a_run(gallery=gallery))
    assert "Denoiser" not in dict(views.facts(result, a_progress(result), "template", None))
    both = replace(result, run=replace(result.run, denoiser="learned-mirror"))
    assert dict(views.facts(both, a_progress(both), "template", None))["Denoiser"] == "learned + mirror image"
    assert dict(views.facts(result, a_progress(result), "template", None))["Gallery"] == "slides · no licence stated"
    own = a_result((900, 60, 40), "complete")
    assert "Gallery" not in dict(views.facts(own, a_progress(own), "template", None))
    assert dict(views.report(own, 128)["rows"])["Gallery"] == "none"


def test_both_kinds_of_guarantee_have_their_own_words() -> None:
    first, second = (views.guarantee_words(kind) for kind in ("unconditional", "frozen_prompt"))
    assert first != second
    assert "frozen" in second[0]


# --- what a frozen prompt promises

LANGUAGES_AND_SYMBOLS = [Locale(language, symbols) for language in LANGUAGES for symbols in (False, True)]
BANK = {"id": "b", "revision": None, "sha256": "b" * 64, "licence": "x"}
FROZEN = {
    "tuned": {"method": "zero_shot", "guarantee": "frozen_prompt"},
    "tuned from a bank": {"method": "combined", "guarantee": "frozen_prompt", "bank": BANK},
    "learned on the scan": {
        "method": "few_shot", "guarantee": "frozen_prompt", "bank": BANK | {"learned_on_scan": True},
    },
}  # fmt: skip


def certified(**changes: Any) -> Certificate:
    """A certificate of a run with these facts; which facts go together is for `Run` to check, not for the words."""
    run = a_run()
    for name, value in changes.items():
        object.__setattr__(run, name, value)
    result = a_result((900, 60, 40), "complete", run)
    assert isinstance(result, Certificate)
    return result


@pytest.mark.parametrize("locale", LANGUAGES_AND_SYMBOLS, ids=str)
@pytest.mark.parametrize("origin", ["fresh", "given"])
@pytest.mark.parametrize("frozen", FROZEN.values(), ids=FROZEN)
def test_no_frozen_prompt_is_said_to_hold_for_running_again(
    locale: Locale, origin: str, frozen: dict[str, Any]
) -> None:
    """What a bare method's sentence says after its first full stop, about a new run, is never said of these."""
    plain, result = certified(seed_origin=origin), certified(seed_origin=origin, **frozen)
    with using_locale(locale):
        promise = re.split(
            r"[.。](?=\s|$|[^\d\s])", views.sentence(plain).replace(views.radius_text(plain.radius), "R")
        )[-2]
        told = views.sentence(result).replace(views.radius_text(result.radius), "R")
        assert len(promise) > 15
        assert promise not in told
        assert views.guarantee_words_of(result) != views.guarantee_words_of(plain)


@pytest.mark.parametrize("origin", ["fresh", "given"])
def test_a_tuned_prompt_and_a_bank_learned_on_the_scan_say_what_is_kept_and_what_is_not_covered(origin: str) -> None:
    tuned, learned = (views.sentence(certified(seed_origin=origin, **FROZEN[name])) for name in
                      ("tuned", "learned on the scan"))  # fmt: skip
    assert "with this prompt kept" in tuned
    assert "tunes a new prompt and may name another class" in tuned
    assert "with this bank and denoiser kept" in learned
    assert "with others the program may name another class" in learned
    for told in (tuned, learned):
        assert "is not covered" in told
        assert ("only one tried" in told) == (origin == "given")
        assert told.index("seed was chosen") < told.index("the answer") if origin == "given" else True


def test_an_unconditional_bank_says_whether_it_is_known_what_it_was_learned_on() -> None:
    """A file from before banks recorded their crops lacks the entry; one of another program may have None."""
    told = {
        learned: views.guarantee_words_of(certified(method="few_shot", bank=bank))
        for learned, bank in (
            (False, BANK | {"learned_on_scan": False}),
            (None, BANK | {"learned_on_scan": None}),
            ("absent", BANK),
        )
    }
    assert told[False] == views.guarantee_words_of(certified()) == views.guarantee_words("unconditional")
    assert told[None] == told["absent"]
    assert "does not say which scans it was learned on" in told[None][1]
    assert "was not learned" not in told[None][1]
    assert all(badge == "Unconditional" for badge, _ in told.values())


def test_an_unconditional_denoiser_says_whether_it_is_known_what_it_was_learned_on() -> None:
    fitted: dict[str, Any] = {"denoiser": "learned", "denoiser_sha256": "d" * 64}
    known, bank = {"denoiser_learned_on_scan": False}, {"method": "few_shot", "bank": BANK}
    told = [
        views.guarantee_words_of(certified(**facts))[1]
        for facts in (fitted | known, fitted, fitted | known | bank, fitted | bank, {"denoiser": "gaussian"})
    ]
    assert ["was not learned or tuned" in words for words in told] == [True, False, False, False, True]
    assert ["this denoiser does not say" in words for words in told] == [False, True, False, False, False]
    assert ["this bank does not say" in words for words in told] == [False, False, True, False, False]
    assert ["neither bank nor denoiser says" in words for words in told] == [False, False, False, True, False]


@pytest.mark.parametrize(
    "locale", [Locale(language, mode) for language in LANGUAGES for mode in (False, True)], ids=str
)
def test_of_a_given_seed_the_condition_comes_first_and_the_exception_stays(locale: Locale) -> None:
    """In every language and in symbols: the seed stands before class and radius, α wherever a fresh seed has it."""
    given = certified(seed_origin="given")
    with using_locale(locale):
        said, fresh = (views.sentence(one) for one in (given, certified()))
        radius, alpha = views.radius_text(given.radius), views.alpha_text(given.run.plan.failure_probability)
        name = class_words(views.name_of(given.run, given.leader))
    assert fresh.count(alpha) == said.count(alpha) >= 1
    seed = {"en": "the seed", "de": "startwert", "fr": "graine", "es": "semilla", "zh": "种子"}[locale.language]
    assert seed not in fresh.lower()
    assert said.lower().index(seed) < said.index(radius)
    assert said.lower().index(seed) < said.index(name)


@pytest.mark.parametrize("locale", [Locale(language) for language in LANGUAGES], ids=str)
@pytest.mark.parametrize("frozen", FROZEN.values(), ids=FROZEN)
def test_the_mark_stands_wherever_a_frozen_radius_stands(locale: Locale, frozen: dict[str, Any]) -> None:
    result, plain = certified(**frozen), certified()
    with using_locale(locale):
        radius = views.radius_text(result.radius)
        stage, other = (
            views.stage(a_progress(one, "done"), "template", 128, [Landmark("small", 1e-3)]) for one in (result, plain)
        )
        said = (stage["radius"]["unit"], stage["badge"]["text"], "".join(stage["headline"]), stage["ruler"]["covered"])
        unmarked = (
            other["radius"]["unit"], other["badge"]["text"], "".join(other["headline"]), other["ruler"]["covered"],
        )  # fmt: skip
        assert radius in said[2]
        assert all(one != two for one, two in zip(said, unmarked, strict=True))
        assert (stage["frozen"], other["frozen"]) == (True, False)
        assert views.verdict_sentence(result) in stage["announce"]
        assert stage["report"] is not None
        assert stage["report"]["rows"][0][1] == " – ".join(views.guarantee_words_of(result))
        assert views.guarantee_mark(result)
        assert views.guarantee_mark(plain) == ""
        assert views.votes_figure(result).layout.title.text == views.guarantee_mark(result)
        assert views.votes_figure(plain).layout.title.text is None


def test_the_ghosts_of_a_run_are_the_words_that_it_can_come_to() -> None:
    for changes in ({}, {"seed_origin": "given"}, *FROZEN.values()):
        result = certified(**changes)
        stage = views.stage(a_progress(result, "done"), "template", 128, [])
        name, radius = views.name_of(result.run, result.leader), views.radius_text(result.radius)
        longest = max(result.run.class_names, key=len)
        for ghost, shown in (
            ("sentence", f"{stage['sentence']} {stage['aside']}"),
            ("headline", "".join(stage["headline"])),
        ):
            assert shown.replace(name, longest).replace(radius, "8.888") == stage["ghosts"][ghost]


def test_a_run_that_began_again_says_so_at_every_step_and_with_its_result() -> None:
    for phase, ended in (("selection", "running"), ("estimation", "running"), ("done", "complete")):
        progress = a_progress(a_result((900, 60, 40), ended), phase)
        assert views.stage(progress, "template", 128, [])["notice"] == ""
        for lost in (frozenset(), frozenset({"few_shot"}), frozenset({"template"})):
            again = SimpleNamespace(**vars(progress) | {"restarted": 16, "lost": lost})
            stage = views.stage(again, "template", 128, [])  # type: ignore[arg-type]
            assert "16 copies" in stage["notice"]
            assert ("radius shown before" in stage["notice"]) == ("template" in lost)
            assert stage["announce"].startswith(stage["notice"])


def test_the_announcement_stays_the_same_while_votes_pour_in() -> None:
    said = {
        views.announcement(a_progress(result), result)
        for result in (a_result((votes, 1, 1)) for votes in (100, 200, 300))
    }
    assert len(said) == 1


# --- the votes


def test_no_bar_changes_its_place_once_counting_has_begun() -> None:
    selection = (2, 50, 12)
    first, last = (views.chart_data(a_result(counts, selection=selection)) for counts in ((9, 1, 0), (30, 400, 900)))
    assert first["labels"] == last["labels"] == ["lymphocyte", "platelet", "monocyte"]
    assert last["counts"] == [400, 900, 30]
    assert sum(last["shares"]) == pytest.approx(1)


def test_the_order_is_the_task_s_own_until_the_class_is_chosen() -> None:
    assert views.chart_data(a_result((0, 0, 0), selection=(0, 5, 1)))["labels"] == list(a_run().class_names)


def test_votes_that_are_no_number_belong_to_nobody_in_the_chart() -> None:
    run = a_run()
    data = views.chart_data(conclude(run, advance(Votes((60, 3, 1), (0, 0, 0)), (50, 0, 0), 50, run)))
    assert data["shares"][0] == 0.5


def test_a_figure_has_the_same_numbers_and_no_tag_of_a_visitor() -> None:
    result = a_result((900, 60, 40), "complete", a_run((EVIL, "<b>bold</b> & co", "platelet")))
    for dark in (False, True):
        figure = views.votes_figure(result, dark)
        _, rest, leader = figure.to_dict()["data"]
        assert [*leader["x"], *rest["x"]] == [0.9, 0.06, 0.04]
        labels = " ".join(figure.layout.yaxis.ticktext)
        assert "<img" not in labels
        assert "&lt;img" in labels
        assert {shape.x0 for shape in figure.layout.shapes} >= {result.lower_bound, result.rival_upper_bound}


def test_the_text_of_a_visitor_reaches_the_page_unchanged_as_text() -> None:
    stage = views.stage(a_progress(a_result((900, 60, 40), "complete", a_run((EVIL, "b", "c")))), "template", 128, [])
    assert stage["headline"][1] == EVIL
    assert EVIL in stage["chart"]["labels"]


def test_every_certificate_on_the_page_is_valid() -> None:
    for counts, ended in [((50, 1, 1), "stopped"), ((900, 60, 40), "complete"), ((340, 330, 330), "complete")]:
        stage = views.stage(a_progress(a_result(counts, ended), "done"), "template", 128, [])
        assert verify(stage["certificate"] or "").ok


def test_a_run_that_is_on_offers_no_certificate_to_download() -> None:
    assert views.stage(a_progress(a_result((50, 1, 1))), "template", 128, [])["certificate"] is None


# --- what a radius means


def brute_force(pixels: np.ndarray, changed: np.ndarray) -> float:
    return float(np.sqrt((((pixels.astype(float) - changed.astype(float)) / 255) ** 2).sum()))


def test_landmarks_are_distances_of_this_very_crop() -> None:
    pixels = np.random.default_rng(2).integers(1, 200, (3, 40, 40), dtype=np.uint8)
    tenth = pixels.copy().reshape(-1)
    tenth[::10] += 1
    file = io.BytesIO()
    Image.fromarray(np.moveaxis(pixels, 0, -1)).save(file, format="JPEG", quality=75)
    jpeg = np.moveaxis(np.array(Image.open(file)), -1, 0)
    moved = np.array([np.pad(plane, ((0, 0), (1, 0)), mode="edge")[:, :-1] for plane in pixels])
    expected = [
        brute_force(pixels, tenth.reshape(pixels.shape)), brute_force(pixels, pixels + 1), brute_force(pixels, jpeg),
        brute_force(pixels, moved), 0.25 * np.sqrt(4800),
    ]  # fmt: skip
    assert [mark.size for mark in landmarks(pixels, 0.25)] == pytest.approx(sorted(expected))


def test_one_grey_level_everywhere_is_87_hundredths_at_128_pixels() -> None:
    sizes = {mark.words: mark.size for mark in landmarks(np.zeros((3, 128, 128), np.uint8), 1.0)}
    assert sizes["every value by ± 1 level"] == pytest.approx(0.869, abs=5e-4)


def test_the_ruler_says_covered_for_exactly_what_is_closer_than_the_radius() -> None:
    known = [Landmark(str(size), size) for size in (0.1, 0.5, 2.0, 60.0)]
    rows = views.ruler(known, 0.5)["rows"]
    assert [row[3] for row in rows] == [True, False, False, False]
    places = [row[2] for row in rows]
    assert places == sorted(places)
    assert views.ruler(known, None)["place"] is None
    assert not any(row[3] for row in views.ruler(known, None)["rows"])


def test_the_ruler_is_logarithmic() -> None:
    places = [place for _, place in views.ruler([], None)["ticks"]]
    assert np.diff(places) == pytest.approx(np.full(3, places[1] - places[0]))


# --- pictures


def pixels_of(address: str) -> np.ndarray:
    return np.array(Image.open(io.BytesIO(base64.b64decode(address.removeprefix("data:image/png;base64,")))))


def test_the_crop_on_the_page_is_the_certified_one_pixel_by_pixel() -> None:
    whole = np.random.default_rng(3).integers(0, 256, (90, 150, 3), dtype=np.uint8)
    scan = open_scan(whole)
    crop = crop_scan(scan, CropRule(size=48))
    shown = views.strip(whole, scan, crop)
    assert np.array_equal(pixels_of(shown["crop"]), np.moveaxis(crop.pixels, 0, -1))
    assert np.array_equal(pixels_of(shown["scan"]), whole)


@pytest.mark.parametrize("box", [None, (10, 20, 130, 80), (0, 0, 40, 88)])
def test_the_frame_on_the_scan_is_what_the_model_sees(box: tuple[int, int, int, int] | None) -> None:
    height, width = 100, 160
    rule = crop_scan(open_scan(np.zeros((height, width, 3), np.uint8)), CropRule(size=32, box=box)).rule
    left, top, wide, high = views.crop_frame(width, height, rule)
    inside = np.zeros((height, width, 3), np.uint8)
    x, y = round(left * width), round(top * height)
    inside[y : y + round(high * height), x : x + round(wide * width)] = 255
    crop = crop_scan(open_scan(inside), CropRule(size=32, box=box))
    assert crop.pixels.mean() > 250
    assert wide * width == pytest.approx(high * height)


# --- the page's pieces


def seen(kind: str, *names: str) -> str:
    """Files of that kind, in one text; of a script without what it imports."""
    texts = (resource("assets", "page", f"{name}.{kind}").read_text("utf-8") for name in names)
    return re.sub(r"^import .*$", "", "".join(texts), flags=re.MULTILINE)


def test_no_other_module_asks_for_words() -> None:
    given = {"stage", "ruler", "waiting", "compare", "curve", "learn", "budget", "viewer", "frames"}
    given |= {"verdict", "checked", "lecture", "scene", "loss", "scores"}
    given |= {"results", "results_table", "results_lines", "results_figure"}  # held in tests/engine/test_results.py
    given |= {"attack", "attack_scene", "attack_axis"}  # held in tests/engine/test_page_values.py
    names = {file.stem for file in resource("assets", "page").glob("*.js")}
    assert {name for name in names if re.search(r"\bwords\.", seen("js", name))} == given


def test_every_word_of_the_page_is_used_and_no_other_is_asked_for() -> None:
    pieces = seen("html", "header", "picker", "stage", "viewer", "budget", "modes", "frames", "about", "question")
    script = seen("js", "stage", "verdict", "checked", "ruler", "waiting", "lecture", "scene")
    asked = set(re.findall(r"\$([a-z_]+)", pieces)) | set(re.findall(r"\bwords\.([a-z_]+)", script))
    elsewhere = {"card_alt", "question_else"}  # of the picture of a link, and of a tile
    assert (asked - {"budget", "languages"}) | elsewhere == set(views.PAGE_WORDS)


@pytest.mark.parametrize(
    ("name", "modules", "words"),
    [("compare", ("compare", "curve"), COMPARE_WORDS), ("learn", ("learn", "loss", "scores"), LEARN_WORDS)],
)
def test_every_word_of_a_view_is_used_and_no_other_is_asked_for(
    name: str, modules: tuple[str, ...], words: dict[str, str]
) -> None:
    piece, script = seen("html", name), seen("js", *modules)
    asked = set(re.findall(r"\$([a-z_]+)", piece)) | set(re.findall(r"\bwords\.([a-z_]+)", script))
    controls = {"learn_way", "learn_shots", "learn_shots_info", "learn_upload", "learn_drawn"}
    shared = {"lost", "lost_line"}  # of the page, which every view is given
    assert shared <= asked & set(views.PAGE_WORDS)
    assert asked - shared == set(words) - controls


# --- colours


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("palette", [views.LIGHT, views.DARK], ids=["light", "dark"])
def test_contrast_is_enough_for_text_and_for_shapes(palette: dict[str, str]) -> None:
    """WCAG 2.2: 4.5 for text, 3 for what carries meaning without being text."""

    def contrast(first: str, second: str) -> float:
        high, low = sorted((luminance(palette[first]), luminance(palette[second])), reverse=True)
        return (high + 0.05) / (low + 0.05)

    for text in ("ink", "mute", "faint", "accent", "stop"):
        for ground in ("card", "bg", "field"):
            assert contrast(text, ground) >= 4.5, (text, ground)
    assert contrast("accent-ink", "accent") >= 4.5
    assert contrast("ink", "soft") >= 4.5
    for shape in ("bar", "edge"):
        assert contrast(shape, "card") >= 3, shape


def test_the_first_picture_of_the_page_has_every_class_and_no_vote() -> None:
    page = views.opening(TASKS["blood_cells"], landmarks(np.zeros((3, 128, 128), np.uint8), 0.25))
    assert page["chart"]["labels"] == list(TASKS["blood_cells"].class_names)
    assert json.loads(json.dumps(page)) == page
