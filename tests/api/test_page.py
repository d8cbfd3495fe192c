"""The page without a browser: what its parts do before anybody looks at them."""

import asyncio
import inspect
import io
import re
import threading
import weakref
import zipfile
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from dataclasses import astuple, fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import numpy as np
import pytest

from psmooth import views
from psmooth.interface import assets, first_picture, handlers, model_menu, page, requests, visitors
from psmooth.interface import steps as run_steps
from psmooth.interface.endpoints import ENDPOINTS
from psmooth.interface.first_picture import FirstPicture
from psmooth.interface.requests import ChosenScan, RunRequest
from psmooth.interface.runs import Attack, Certify, Compare, Learn, Run
from psmooth.interface.session import Session
from psmooth.interface.settings import CONTROLS, KEYS, OWN_TASK, Settings
from psmooth.interface.steps import paced
from psmooth.interface.uploads import GONE, Upload, no_upload
from psmooth.scans import apart, notes, open_scan
from psmooth.smoothing import Progress
from psmooth.views import attack as views_attack
from psmooth.views import compare as views_compare
from psmooth.views import learn as views_learn
from psmooth.views.locale import Locale, translate, translations
from tests.dicoms import dicom, file_of, series
from tests.records import a_result
from tests.serving import in_a_loop


@pytest.fixture(scope="module")
def demo() -> Any:
    return page.build()


@pytest.fixture
def order() -> RunRequest:
    chosen = ChosenScan(open_scan(np.full((40, 40, 3), 90, np.uint8)))
    return RunRequest(chosen, Settings("m", "blood_cells"))


class FakeStep:
    """A step that shows its number, and whether it was stopped."""

    def __init__(self, order: RunRequest, number: int, last: bool) -> None:
        self.run, self.number = order, number
        self.progress = SimpleNamespace(phase="done" if last else "estimation")

    def stage(self) -> str:
        return f"step {self.number}"

    def stopped(self) -> str:
        return f"stopped at {self.number}"

    def strip(self) -> str:
        return "strip"

    def outcome(self) -> Any:
        return a_result((90 + self.number, 0, 0))


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Runs of four steps in place of real ones; notes when each is closed."""
    ended: list[str] = []

    def certify_steps(order: RunRequest, _: object) -> Iterator[FakeStep]:
        try:
            for number in range(4):
                yield FakeStep(order, number, number == 3)
        finally:
            ended.append("closed")

    monkeypatch.setattr("psmooth.interface.runs.certify_steps", certify_steps)
    return ended


# --- a session and its runs


def kept(session: Session, count: int) -> None:
    """Runs on the scan that the session holds."""
    assert session.chosen is not None
    ended = SimpleNamespace(outcome=lambda: a_result((900, 60, 40), "complete"))
    for _ in range(count):
        session.add_result(ended, session.chosen)  # type: ignore[arg-type]


def a_chosen_scan(level: int) -> ChosenScan:
    return ChosenScan(open_scan(np.full((40, 40, 3), level, np.uint8)))


def test_the_list_of_runs_outlives_leaving_a_scan_and_coming_back() -> None:
    session = Session(a_chosen_scan(1))
    kept(session, 2)
    session.set_scan(None)
    assert session.results == []
    session.set_scan(a_chosen_scan(2))
    assert session.results == []
    kept(session, 1)
    session.set_scan(a_chosen_scan(1))
    assert len(session.results) == 2, "the same values, opened anew, are the same scan"
    assert not [one for one in vars(session)["lists"] if not isinstance(one, str)], "a scan is known by its sha256"


def test_clear_forgets_every_list_and_what_a_run_before_it_still_comes_to() -> None:
    session = Session(a_chosen_scan(1))
    kept(session, 2)
    before = session.chosen
    assert before is not None
    handlers.clear(session)
    session.add_result(SimpleNamespace(outcome=lambda: a_result((900, 60, 40), "complete")), before)  # type: ignore[arg-type]
    session.set_scan(a_chosen_scan(1))
    assert session.results == []


def test_a_tab_remembers_the_lists_of_a_bounded_number_of_scans(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("psmooth.interface.session.MOST_LISTS", 2)
    session = Session()
    for level in (1, 2, 1, 3):
        session.set_scan(a_chosen_scan(level))
        kept(session, 1)
    session.set_scan(a_chosen_scan(1))
    assert len(session.results) == 2, "visited again, it was not the one left longest ago"
    session.set_scan(a_chosen_scan(2))
    assert session.results == []


def test_a_run_that_has_counted_no_vote_is_not_listed() -> None:
    session = Session(a_chosen_scan(1))
    assert session.chosen is not None
    session.add_result(SimpleNamespace(outcome=lambda: a_result((0, 0, 0))), session.chosen)  # type: ignore[arg-type]
    assert session.results == []


def test_a_wanted_run_is_run_once(order: RunRequest, ended: list[str]) -> None:
    session = Session()
    session.request_run(order)
    assert [stage for stage, _ in Certify.follow(session)] == ["step 0", "step 1", "step 2", "step 3"]
    assert list(Certify.follow(session)) == []
    assert ended == ["closed"]


def test_a_later_run_ends_an_earlier_one_and_a_waiting_one_is_passed_over(order: RunRequest, ended: list[str]) -> None:
    session = Session()
    session.request_run(order)
    first = Certify.follow(session)
    next(first)
    session.request_run(order)
    session.request_run(order)
    assert list(first) == [(gr.skip(), gr.skip())]
    assert ended == ["closed"]
    assert len(list(Certify.follow(session))) == 4
    assert list(Certify.follow(session)) == []


def test_a_run_that_none_follows_ends_on_what_the_page_shows_by_then(order: RunRequest, ended: list[str]) -> None:
    session = Session()
    session.request_run(order)
    steps = Certify.follow(session)
    next(steps)
    cleared, *_ = handlers.clear(session)
    assert [stage for stage, _ in steps] == [cleared]
    assert ended == ["closed"]


def test_stop_ends_a_run_with_its_certificate(order: RunRequest, ended: list[str]) -> None:
    session = Session()
    session.request_run(order)
    steps = Certify.follow(session)
    next(steps)
    assert Certify.stop(session) == gr.skip()
    assert [stage for stage, _ in steps] == ["stopped at 1"]
    assert ended == ["closed"]


def test_stop_takes_a_waiting_run_out_of_the_queue(order: RunRequest, ended: list[str]) -> None:
    session = Session()
    session.request_run(order)
    assert Certify.stop(session) == views.stopped_early()
    assert list(Certify.follow(session)) == []
    assert ended == []


def test_stop_takes_a_waiting_run_of_any_view_out_and_leaves_the_others_as_they_are(order: RunRequest) -> None:
    for run in (Compare, Attack, Learn):
        session = Session(order.chosen)
        certified = session.show("certify", views.idle)
        run.start(session, order)
        assert run.stop(session) == run.words.stopped_early()
        assert list(run.follow(session)) == []
        assert session.resaid("certify") == certified


def test_a_run_that_waits_behind_another_view_says_that_it_does_not_come(order: RunRequest) -> None:
    kinds: list[type[Run[Any]]] = [Certify, Compare, Attack, Learn]
    for run in kinds:
        for other in (one for one in kinds if one is not run):
            session = Session(order.chosen)
            run.start(session, order)
            other.start(session, order)
            assert list(run.follow(session)) == [run.alone(run.words.stopped_early())]


def test_what_is_refused_before_it_waits_stays_refused() -> None:
    session = Session()
    for run, begin in ((Compare, handlers.begin_compare), (Attack, handlers.begin_attack)):
        said = begin(session, *astuple(Settings("m", "blood_cells")))
        refused = said[0] if isinstance(said, tuple) else said  # Compare puts a question away as well
        assert refused["state"] == "failed"
        assert list(run.follow(session)) == []
        assert session.resaid(run.view) == refused


def test_a_closed_tab_closes_the_run(order: RunRequest, ended: list[str]) -> None:
    session = Session()
    session.request_run(order)
    steps = Certify.follow(session)
    next(steps)
    steps.close()
    assert ended == ["closed"]


def test_what_goes_wrong_inside_is_a_sentence_on_the_page_and_its_kind_in_the_log(
    order: RunRequest, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def certify_steps(*_: object) -> Iterator[FakeStep]:
        raise ZeroDivisionError("secret")
        yield

    monkeypatch.setattr("psmooth.interface.runs.certify_steps", certify_steps)
    session = Session()
    session.request_run(order)
    ((stage, _),) = Certify.follow(session)
    assert stage == views.failed(None)
    assert stage["sentence"] == views.UNEXPECTED
    assert "ZeroDivisionError in test_page.py" in caplog.text
    assert "secret" not in caplog.text
    assert "Traceback" not in caplog.text


def test_the_run_that_the_page_opens_with_never_takes_a_lent_gpu(
    order: RunRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []
    monkeypatch.setattr("psmooth.interface.steps.fetch_model", lambda _: iter(()))
    monkeypatch.setattr("psmooth.interface.steps._certify_steps", lambda _: iter([ran.append("here")]))
    monkeypatch.setattr("psmooth.interface.steps.on_gpu", lambda *_: lambda _: iter([ran.append("lent")]))
    visitor, settings = Session(order.chosen), astuple(Settings("m", "blood_cells"))
    handlers.begin_first(visitor, *settings)
    list(run_steps.certify_steps(visitor.request))  # type: ignore[arg-type]
    handlers.begin(visitor, *settings)
    list(run_steps.certify_steps(visitor.request))  # type: ignore[arg-type]
    assert ran == ["here", "lent"]


def test_another_voice_says_what_is_shown_again() -> None:
    visitor = Session()
    english = visitor.show("certify", views.idle)
    german = SimpleNamespace(_data={"lang": "de"})
    said = handlers.change_locale(visitor, None, None, german)  # type: ignore[arg-type]
    stage, comparison, attacking, learning, question, checked, results, *menus = said
    assert stage["state"] == english["state"]
    assert stage["headline"] != english["headline"]
    idle = (views_compare.idle(), views_attack.idle(), views_learn.idle())
    for shown, before in zip((comparison, attacking, learning), idle, strict=True):
        assert shown["state"] == before["state"]
        assert shown["sentence"] != before["sentence"]
    assert question == checked == results == gr.skip()
    assert len(menus) == 11
    assert menus[9:] == [gr.skip()] * 2, "without a scan nothing is told of one, and there is no window"
    assert handlers.menus_at_first(Session()) == (gr.skip(),) * 8


def test_what_is_told_of_a_scan_and_its_windows_are_said_again_in_another_voice() -> None:
    slices = np.arange(3 * 16 * 20, dtype=np.uint16).reshape(3, 16, 20)
    file = file_of(dicom(slices, frames=3, Modality="CT", RescaleSlope="1", RescaleIntercept="-1024"))
    visitor = Session()
    handlers.upload(visitor, Upload(io.BytesIO(file)), OWN_TASK)
    german = SimpleNamespace(_data={"lang": "de"})
    *_, window, strip = handlers.change_locale(visitor, 40, 400, german)  # type: ignore[arg-type]
    assert strip == {"about": "20 × 16, 16-Bit-Graustufen, CT · Bild 2 von 3"}
    assert window.choices[0][0] == "Weichteile · 40 / 400 HU"
    assert window.value == 0
    *_, window, _ = handlers.change_locale(visitor, 41, 400, german)  # type: ignore[arg-type]
    assert window.choices[-1] == (f"{translations('de')['your own']} · 41 / 400 HU", window.value)


@pytest.mark.usefixtures("ended")
def test_what_is_told_of_a_scan_comes_in_the_visitors_language(
    order: RunRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeStep, "strip", lambda _: translate(notes.WRITTEN))
    visitor = Session(order.chosen, locale=Locale("de"))
    visitor.request_run(order)
    assert next(Certify.follow(visitor))[1] == translations("de")[notes.WRITTEN]


@pytest.mark.usefixtures("ended")
def test_a_run_that_ends_while_a_file_is_read_shows_nothing_any_more(order: RunRequest) -> None:
    visitor = Session(order.chosen)
    visitor.request_run(order)
    steps = Certify.follow(visitor)
    next(steps)
    visitor.request_run(None)
    visitor.set_scan(None)
    assert list(steps) == [(gr.skip(), gr.skip())]


@pytest.mark.usefixtures("ended")
def test_a_run_leaves_its_outcome_and_another_scan_has_a_list_of_its_own(order: RunRequest) -> None:
    visitor = Session(order.chosen)
    visitor.request_run(order)
    list(Certify.follow(visitor))
    assert [one.votes.total for one in visitor.results] == [93]
    visitor.set_scan(a_chosen_scan(1))
    assert visitor.results == []


@pytest.mark.usefixtures("ended")
@pytest.mark.parametrize(("view", "shown"), [("compare", ["stopped at 1"]), ("certify", [])])
def test_a_run_that_another_one_ends_counts_among_those_on_its_scan(order: RunRequest, view: str, shown: list) -> None:
    visitor = Session(order.chosen)
    visitor.request_run(order)
    steps = Certify.follow(visitor)
    next(steps)
    visitor.request_run(order, view)
    assert [stage for stage, _ in steps] == [*shown, gr.skip()]
    assert [one.votes.total for one in visitor.results] == [91]
    visitor.request_run(order)
    steps = Certify.follow(visitor)
    next(steps)
    visitor.set_scan(a_chosen_scan(1))
    visitor.request_run(order)
    assert list(steps) == [(gr.skip(), gr.skip())]
    assert visitor.results == []
    visitor.set_scan(ChosenScan(order.chosen.scan))
    assert [one.votes.total for one in visitor.results] == [91, 91], "it counts where it was drawn"


def bring_another(visitor: Session) -> None:
    visitor.set_scan(a_chosen_scan(1))
    handlers.begin(visitor, *astuple(Settings("m", "blood_cells")))


@pytest.mark.usefixtures("ended")
@pytest.mark.parametrize("leave", [handlers.clear, bring_another])
def test_a_run_on_a_scan_that_was_left_is_not_shown_again_and_keeps_nothing(order: RunRequest, leave: Any) -> None:
    visitor = Session(order.chosen)
    visitor.request_run(order)
    steps = Certify.follow(visitor)
    next(steps)
    leave(visitor)
    shown = visitor.resaid("certify")
    visitor.request_run(order, "learn")
    assert [stage for stage, _ in steps] == [shown, gr.skip()]
    assert visitor.resaid("certify") == shown


def test_a_certificate_is_checked_and_its_file_is_gone() -> None:
    record = a_result((900, 60, 40), "complete").to_json()
    good, bad, no = [brought(text) for text in (record, record.replace('"radius": ', '"radius": 1'), "no")]
    visitor = Session()
    assert handlers.check(visitor, good)["headline"][0] == "This certificate holds together."
    assert "radius" in handlers.check(visitor, bad)["sentence"]
    assert "not JSON" in handlers.check(visitor, no)["sentence"]
    assert handlers.check(visitor, good)["sentence"] == GONE


def test_an_upload_that_is_gone_is_told_and_takes_what_stood_before_with_it(order: RunRequest) -> None:
    visitor = Session(order.chosen)
    stage, strip, *_ = handlers.upload(visitor, no_upload(), OWN_TASK)
    assert stage["state"] == "failed"
    assert stage["sentence"] == GONE
    assert strip == {}
    assert visitor.chosen is None


def two_series() -> bytes:
    """A zip of two series, of two and of three slices; the second slice of the one has no picture behind its header."""
    whole, short = series([5, 6], SeriesNumber="1", InstanceNumber=["1", "2"])
    files = [whole, short[:-500], *series([7, 8, 9], "MR", SeriesNumber="2", InstanceNumber=["1", "2", "3"])]
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for number, file in enumerate(files):
            archive.writestr(f"{number}", file)
    return content.getvalue()


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("way", ["clear", "pick", "upload", "forget"])
def test_a_zip_is_held_as_it_came_until_it_is_left(way: str) -> None:
    data, visitor = two_series(), Session()
    stage, *_ = handlers.upload(visitor, Upload(io.BytesIO(data), len(data), "here"), OWN_TASK)
    assert stage["headline"][0] == "Which series?"
    assert (visitor.weight, visitor.address, visitor.chosen) == (len(data), "here", None)
    handlers.choose_series(visitor, 2, OWN_TASK)
    assert visitor.chosen
    assert visitor.weight == len(data) + visitor.chosen.scan.values.nbytes
    handlers.choose_frame(visitor, 3, None, None)
    assert (visitor.chosen.scan.series, visitor.chosen.scan.frame, visitor.chosen.scan.values.max()) == (2, 3, 9)
    held = weakref.ref(visitor.bundle)
    leaving: dict[str, Callable[[], Any]] = {
        "clear": lambda: handlers.clear(visitor),
        "pick": lambda: handlers.pick(visitor, gr.EventData(None, {"index": 0})),
        "upload": lambda: handlers.upload(visitor, no_upload(), OWN_TASK),
        "forget": visitor.forget,
    }
    leaving[way]()
    assert (visitor.weight, visitor.bundle, held()) == (0, None, None)
    assert set(map(str, handlers.choose_series(visitor, 1, OWN_TASK))) == {str(gr.skip())}


def test_where_a_slice_cannot_be_opened_another_series_can_be_chosen() -> None:
    visitor = Session()
    handlers.upload(visitor, Upload(io.BytesIO(two_series())), OWN_TASK)
    handlers.choose_series(visitor, 1, OWN_TASK)
    stage, *_ = handlers.choose_frame(visitor, 2, None, None)
    assert stage["state"] == "failed"
    assert "cut short" in stage["sentence"]
    assert visitor.chosen is None
    handlers.choose_frame(visitor, 1, None, None)
    assert visitor.chosen
    assert (visitor.chosen.scan.series, visitor.chosen.scan.frame, visitor.left) == (1, 1, None)
    for wrong in (0, 3):
        stage, *_ = handlers.choose_series(visitor, wrong, OWN_TASK)
        assert "there are 2" in stage["sentence"]
    handlers.choose_series(visitor, 2, OWN_TASK)
    assert visitor.chosen
    assert visitor.chosen.scan.kind == "16-bit grey, MR"


def brought(text: str) -> Upload:
    return Upload(io.BytesIO(text.encode()))


def test_nothing_starts_without_a_scan() -> None:
    session, settings = Session(), astuple(Settings("m", "blood_cells"))
    assert handlers.begin_first(session, *settings) == gr.skip()
    assert handlers.begin(session, *settings) == views.forgotten(), (
        "the page shows a scan that this session does not have"
    )
    assert handlers.begin(session, *settings) == gr.skip()
    assert list(Certify.follow(session)) == []


def test_a_session_that_was_forgotten_has_nothing_left_and_says_so(order: RunRequest, ended: list[str]) -> None:
    visitor = Session(order.chosen)
    assert visitor.weight == order.chosen.scan.values.nbytes
    visitor.request_run(order)
    steps = Certify.follow(visitor)
    next(steps)
    visitor.forget()
    assert list(steps) == [(gr.skip(), gr.skip())]
    assert (visitor.weight, visitor.request, visitor.results, ended) == (0, None, [], ["closed"])
    assert handlers.begin(visitor, *astuple(Settings("m", "blood_cells"))) == views.forgotten()


def brought_to(demo: Any, name: str, side: int = 20, address: str = "") -> Session:
    """A session with a scan of its own, as an upload from that address leaves it."""
    state = next(block for block in demo.blocks.values() if isinstance(block, gr.State))
    visitor = demo.state_holder[name][state._id]
    visitor.set_scan(ChosenScan(open_scan(np.full((side, side, 3), 90, np.uint8)), address=address))
    return visitor


@pytest.fixture
def presence(demo: Any) -> Iterator[visitors.Presence]:
    demo.state_holder.session_data.clear()
    yield visitors.Presence(None)  # type: ignore[arg-type]
    demo.state_holder.session_data.clear()


def test_of_sessions_that_no_page_holds_open_the_latest_keep_a_scan(demo: Any, presence: visitors.Presence) -> None:
    presence.open["page"] = 1
    page = brought_to(demo, "page")
    abandoned = [brought_to(demo, f"{number}") for number in range(40)]
    presence.tidy(demo, now=0.0)
    kept = [visitor.chosen is not None for visitor in abandoned]
    assert kept == [False] * (40 - visitors.MOST_SCANS_ALONE) + [True] * visitors.MOST_SCANS_ALONE
    assert page.chosen is not None


def test_what_was_left_alone_for_long_is_forgotten_by_gradio_too(demo: Any, presence: visitors.Presence) -> None:
    presence.open["page"] = 1
    for name in ("page", "left"):
        brought_to(demo, name)
        demo._queue.pending_messages_per_session[name] = asyncio.Queue()
        demo._queue.pending_event_ids_session[name] = set()
    for now in (0.0, visitors.SECONDS_ALONE - 1):
        presence.tidy(demo, now)
        assert {"page", "left"} <= {*demo.state_holder.session_data}
    presence.tidy(demo, visitors.SECONDS_ALONE + 1)
    stores = (demo.state_holder.session_data, demo.state_holder.time_last_used)
    queue = (demo._queue.pending_messages_per_session, demo._queue.pending_event_ids_session)
    for store in (*stores, *queue):
        assert "left" not in store
        assert "page" in store
        store.clear()


def test_while_nobody_comes_the_queue_is_seldom_looked_into(demo: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []
    queue = demo._queue
    monkeypatch.setattr(queue, "stopped", False)
    monkeypatch.setattr(type(queue), "__len__", lambda _: looks.append(1) or 0)

    async def half_a_second() -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(queue.start_processing(), 0.5)

    asyncio.run(half_a_second())
    assert 2 < len(looks) <= 26


def test_sessions_that_no_page_holds_open_are_few(demo: Any, presence: visitors.Presence) -> None:
    for number in range(visitors.MOST_ALONE + 30):
        assert isinstance(demo.state_holder[f"{number}"], object)
    presence.tidy(demo, now=0.0)
    assert [*demo.state_holder.session_data] == [f"{number}" for number in range(30, visitors.MOST_ALONE + 30)]


def test_scans_of_open_pages_are_bounded_together(
    demo: Any, presence: visitors.Presence, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = [brought_to(demo, name, side) for name, side in (("old", 20), ("new", 30))]
    presence.open.update(("old", "new"))
    monkeypatch.setattr(visitors, "MOST_BYTES", held[0].weight + held[1].weight)
    presence.tidy(demo, now=0.0)
    assert all(visitor.chosen is not None for visitor in held)
    monkeypatch.setattr(visitors, "MOST_BYTES", held[0].weight + held[1].weight - 1)
    presence.tidy(demo, now=0.0)
    assert [visitor.chosen is not None for visitor in held] == [False, True]


def test_who_brings_many_scans_displaces_none_of_another_address(
    demo: Any, presence: visitors.Presence, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = brought_to(demo, "honest", address="10.0.0.2")
    greedy = [brought_to(demo, name, address="10.0.0.1") for name in ("one", "two", "three")]
    presence.open.update(("honest", "one", "two", "three"))
    monkeypatch.setattr(visitors, "MOST_BYTES", 2 * honest.weight)
    presence.tidy(demo, now=0.0)
    assert [visitor.chosen is not None for visitor in (honest, *greedy)] == [True, False, False, True]


def test_a_stream_that_is_called_off_in_the_middle_of_a_step_is_closed_after_it() -> None:
    begun, go_on, ended = threading.Event(), threading.Event(), list[str]()

    def steps() -> Generator[int, None, None]:
        try:
            begun.set()
            go_on.wait(30)
            yield 1
        finally:
            ended.append("closed")

    async def call_off() -> None:
        task = asyncio.ensure_future(anext(stream := visitors.in_threads(steps)()))
        await asyncio.to_thread(begun.wait, 30)
        task.cancel()
        asyncio.get_running_loop().call_later(0.2, go_on.set)
        with pytest.raises(asyncio.CancelledError):
            await task
        await stream.aclose()

    asyncio.run(call_off())
    assert ended == ["closed"]


def test_what_an_event_reads_is_read_for_the_address_that_asks(demo: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def read(_: Upload | None) -> ChosenScan:
        seen.append(apart._reader_for.get())
        return ChosenScan(open_scan(np.full((20, 20, 3), 90, np.uint8)))

    monkeypatch.setattr(handlers, "brought", read)
    event = next(one for one in demo.fns.values() if one.api_name == "upload")
    for address in ("10.0.0.1", "10.0.0.2"):
        request = SimpleNamespace(client=SimpleNamespace(host=address), headers={}, session_hash=address)
        in_a_loop(demo.process_api(event, [None, None, OWN_TASK], demo.state_holder[address], request=request))
    assert seen == ["10.0.0.1", "10.0.0.2"]
    assert not apart._reader_for.get()


def test_what_a_stream_reads_in_its_threads_is_read_for_who_asks() -> None:
    def steps() -> Generator[str, None, None]:
        yield apart._reader_for.get()
        yield apart._reader_for.get()

    async def told() -> list[str]:
        with apart.reading_for("10.0.0.1"):
            return [step async for step in visitors.in_threads(steps)()]

    assert in_a_loop(told()) == ["10.0.0.1"] * 2


def test_a_page_counts_as_open_as_long_as_its_request_lasts() -> None:
    seen: list[int] = []

    async def inner(*_: Any) -> None:
        seen.append(presence.open["abc"])

    presence = visitors.Presence(inner)
    scope = {"type": "http", "path": "/gradio_api/heartbeat/abc", "method": "GET"}
    in_a_loop(presence(scope, None, None))  # type: ignore[arg-type]
    assert seen == [1]
    assert dict(presence.open) == {}


def test_the_examples_weigh_nothing() -> None:
    assert Session(requests.example_scan(0)).weight == 0


# --- pace


def test_steps_are_thinned_but_never_the_first_of_a_phase_or_the_last() -> None:
    phases = ["selection"] * 50 + ["estimation"] * 500 + ["done"]
    steps: list[Any] = [SimpleNamespace(phase=phase, number=number) for number, phase in enumerate(phases)]
    shown: list[Any] = list(paced(iter(steps), seconds=60))
    assert [step.number for step in shown] == [0, 50, 550]
    unfinished: list[Any] = list(paced(iter(steps[:200]), seconds=60))
    assert [step.number for step in unfinished] == [0, 50, 199]


def test_steps_that_come_slowly_are_all_shown() -> None:
    steps: list[Any] = [Progress("estimation", n, 9, 0.0, 0.0, None, {}, {}) for n in range(9)]
    assert list(paced(iter(steps), seconds=0)) == steps


# --- wiring


def test_four_events_are_public_and_whatever_takes_long_is_a_stream_that_waits_in_threads(demo: Any) -> None:
    events = [one for one in demo.fns.values() if one.fn is not None]
    public = [one.api_name for one in events if one.api_visibility == "public"]
    assert public == ["certify", "compare", "attack", "learn"]
    streams = [one for one in events if one.concurrency_id == "streams"]
    on_the_page, by_programs = {"follow"}, {"certify_file", "compare_file", "attack_file", "learn_file"}
    assert {one.fn.__name__ for one in streams} == on_the_page | by_programs | {"fetch_banks"}
    assert all(inspect.isasyncgenfunction(one.fn) for one in streams)
    assert not any(inspect.isgeneratorfunction(one.fn) for one in events), "Gradio would close it in its event loop"
    assert {one.concurrency_limit for one in streams} == {None}
    assert not demo.api_open, "no way around the queue"


def test_whatever_reads_a_file_waits_in_threads_apart(demo: Any) -> None:
    """In Gradio's own, a visitor with slow files would have everybody wait who presses Stop."""
    reading = {"upload", "choose_series", "choose_plane", "choose_frame", "frame_pictures"}
    found = {one.fn.__name__: one.fn for one in demo.fns.values() if one.fn and one.fn.__name__ in reading}
    assert found.keys() == reading
    assert all(inspect.iscoroutinefunction(fn) for fn in found.values())


def test_what_a_program_passes_and_a_link_sets_are_the_controls_of_the_page_by_name() -> None:
    for answer in ENDPOINTS.values():
        file, *others = inspect.signature(answer).parameters
        assert file in ("scan", "scans")
        assert set(others) <= {*CONTROLS, "frame", "series", "plane", "region"}  # which picture it is, is no setting
    assert set(CONTROLS) <= {one.name for one in fields(page.Page)}
    assert set(KEYS.values()) <= set(CONTROLS)


def test_a_control_offers_what_its_setting_may_be_set_to_and_opens_with_its_default() -> None:
    with gr.Blocks():
        laid_out = page.lay_out()
    offered = {one.name: one.metadata for one in fields(Settings) if one.metadata}
    chosen = [name for name, about in offered.items() if about["choices"]]
    slid = [name for name, about in offered.items() if isinstance(getattr(laid_out, name), gr.Slider)]
    assert {*chosen, *slid} == {"task", "votes", "method", "denoiser", "speed", "way", "noise_level", "shots"}
    for name in chosen:
        assert sorted(value for _, value in getattr(laid_out, name).choices) == sorted(offered[name]["choices"])
    for name in slid:
        assert (getattr(laid_out, name).minimum, getattr(laid_out, name).maximum) == offered[name]["limits"]
    usual = Settings(None, "")
    for name in ("votes", "method", "denoiser", "speed", "way", "noise_level", "shots"):
        assert getattr(laid_out, name).value == getattr(usual, name)


def test_every_event_of_the_page_says_so_where_it_does_not_come_to_its_end(demo: Any) -> None:
    """All but those that show nothing of a run: they have a `failure` of their own after them."""
    quiet = {"restore", "menus_at_first", "change_locale", "own_fields", "forget", "stop"}
    quiet |= {"look", "frame_pictures", "name_window"}
    quiet |= {"clear", "lose", "list_runs", "fetch_banks", "certify_file", "compare_file", "attack_file"}
    quiet |= {"learn_file"}
    heard = {one.trigger_after for one in demo.fns.values() if one.trigger_only_on_failure}
    unheard = {one.fn.__name__ for one in demo.fns.values() if one.fn and one._id not in heard}
    assert unheard == quiet


def test_a_closed_tab_takes_its_session_with_it(demo: Any) -> None:
    handlers.forgetting(demo)(SimpleNamespace(session_hash=None))  # type: ignore[arg-type]
    assert isinstance(demo.state_holder["tab"], object)
    handlers.forgetting(demo)(SimpleNamespace(session_hash="tab"))  # type: ignore[arg-type]
    assert "tab" not in demo.state_holder.session_data
    assert "tab" not in demo.state_holder.time_last_used
    assert any("forget" in one.fn.__name__ for one in demo.fns.values() if one.fn)


def test_models_of_the_owner_stand_before_the_bundled_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PSMOOTH_MODELS", "local-dir:/a/first ; local-dir:/b/second/")
    assert model_menu.model_choices()[:2] == [("first", "local-dir:/a/first"), ("second", "local-dir:/b/second/")]


# --- the first picture


PLAIN = b"<html><body>page</body></html>"


def answer_of(path: str, method: str = "GET", page: bytes = PLAIN) -> tuple[dict[bytes, bytes], bytes]:
    """What a page of two lines becomes behind the first picture."""

    async def inner(_scope: Any, _receive: Any, send: Any) -> None:
        headers = [(b"content-length", str(len(page)).encode()), (b"content-type", b"text/html")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": page})

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "path": path, "method": method, "headers": [(b"host", b"here")], "query_string": b""}
    in_a_loop(FirstPicture(inner, "<p>σ</p>", "<i></i>")(scope, None, send))  # type: ignore[arg-type]
    return dict(sent[0]["headers"]), b"".join(message["body"] for message in sent[1:])


def test_the_page_is_sent_with_its_first_picture_and_the_right_length() -> None:
    headers, body = answer_of("/")
    assert body.decode() == "<html><body>page<p>σ</p></body></html>"
    assert int(headers[b"content-length"]) == len(body)


def test_what_draws_the_first_picture_stands_before_gradio_s_own_modules() -> None:
    """Modules run in the order in which they stand in a page."""
    gradio_s = Path(gr.__file__).parent / "templates" / "frontend" / "index.html"
    _, body = answer_of("/", page=gradio_s.read_bytes())
    assert body.count(b"<i></i>") == body.count(b'type="module"') == 1
    assert body.index(b"<base") < body.index(b"<i></i>") < body.index(b'type="module"')


def test_every_module_that_another_imports_is_served_and_the_pages_are_asked_for_at_once() -> None:
    """Those of Understand wait until it is seen."""
    asked = assets.head() + first_picture.first_picture()["scripts"]
    for name in assets.modules():
        assert assets.graph(name) <= assets.static_files().keys()
        assert asked.count(f' href="{assets.address(name)}">') == (not name.startswith("understand/"))


@pytest.mark.parametrize(("path", "method"), [("/config", "GET"), ("/", "POST")])
def test_nothing_else_is_changed(path: str, method: str) -> None:
    assert answer_of(path, method)[1] == PLAIN


def test_what_the_page_needs_lies_on_this_machine() -> None:
    assert all(path.is_file() for path in assets.static_files().values())
    for text in (assets.head(), *first_picture.first_picture().values()):
        fetched = re.sub(r'<a href="https://[^"]+" target="_blank" rel="noopener noreferrer">.*?</a>', "", text)
        assert "http" not in fetched.replace("http://www.w3.org", ""), "a link is followed by a click alone"


@pytest.mark.parametrize(
    ("asked_from", "told", "address"),
    [
        ("192.0.2.7", "198.51.100.9", "192.0.2.7"),
        ("2001:db8:1:2:3::9", "", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "", "192.0.2.7"),
        ("testclient", "", "testclient"),
    ],
)
def test_an_address_is_what_a_visitor_cannot_choose(asked_from: str, told: str, address: str) -> None:
    headers = {"x-forwarded-for": told} if told else {}
    request = SimpleNamespace(headers=headers, client=SimpleNamespace(host=asked_from))
    assert visitors.address_of(request) == address  # type: ignore[arg-type]


def test_behind_the_proxy_of_a_space_the_address_is_the_one_that_it_adds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPACE_ID", "somebody/psmooth")
    headers = {"x-forwarded-for": "10.9.9.9, 192.0.2.7"}
    request = SimpleNamespace(headers=headers, client=SimpleNamespace(host="10.0.0.1"))
    assert visitors.address_of(request) == "192.0.2.7"  # type: ignore[arg-type]


def test_a_session_keeps_the_latest_banks() -> None:
    visitor, banks = Session(), [SimpleNamespace(sha256=str(number)) for number in range(100)]
    visitor.add_banks(banks[:60])  # type: ignore[arg-type]
    visitor.add_banks([banks[30], banks[70]])  # type: ignore[arg-type]
    assert [bank.sha256 for bank in visitor.banks] == [*map(str, [28, 29, *range(31, 60)]), "30", "70"][-32:]


def go_back(visitor: Session, query: str) -> tuple[list[Any], dict[str, Any]]:
    """What comes of an entry of the history: for the parts that show the scan, and for each control by its key."""
    answer = handlers.go_back(visitor, gr.EventData(None, {"query": query}))
    return list(answer[: -len(KEYS)]), dict(zip(KEYS, answer[-len(KEYS) :], strict=True))


def test_an_entry_of_the_history_brings_its_settings_and_its_example_back(order: RunRequest) -> None:
    visitor = Session(requests.example_scan(0))
    parts, settings = go_back(visitor, "?noise=0.5&votes=1000&task=blood_cells&example=0")
    assert (settings["noise"], settings["votes"], settings["target"]) == (0.5, 1_000, None)
    assert parts == [gr.skip()] * len(parts), "the scan stays as it is"
    go_back(visitor, "?noise=0.5&task=chest_xray&example=4")
    assert visitor.has(requests.example_scan(4))
    visitor.set_scan(order.chosen)
    parts, _ = go_back(visitor, "?noise=0.5&scan=own")
    assert visitor.has(order.chosen), "an own scan that is still here"
    go_back(visitor, "?noise=nonsense&example=0")
    parts, settings = go_back(visitor, "?noise=0.5&scan=own")
    assert visitor.chosen is None
    assert parts[0]["headline"][0] == "The scan is not in the link."
