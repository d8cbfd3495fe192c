"""`psmooth check-space` against a served page, and against servers that are wrong in one way each."""

import base64
import gzip
import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

import psmooth
from psmooth.certificate import Votes, advance, conclude, read_certificate
from psmooth.command_line import main
from psmooth.command_line.check_space import _lines
from psmooth.deployment import walk
from psmooth.deployment.page import keep_to
from psmooth.deployment.walk import Outcome
from psmooth.errors import PageError
from psmooth.files import resource
from psmooth.phantoms import draw_phantom
from psmooth.scans import CropRule, crop_scan, open_scan
from tests.api.between import between
from tests.serving import Server, free_port, in_a_thread

ODD = "What /compare answered is not what psmooth answers. Bring psmooth to one version here and on the page."
Check = Callable[..., tuple[int, Any, str]]


@pytest.fixture
def check(capsys: pytest.CaptureFixture[str]) -> Check:
    """Runs the command on this machine's processor: its exit code, what it printed as JSON, and stderr."""

    def run(url: str, *words: object) -> tuple[int, Any, str]:
        with pytest.raises(SystemExit) as left:
            main(["check-space", url, "--device", "cpu", "--json", *map(str, words)])
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        assert isinstance(left.value.code, int)
        return left.value.code, json.loads(out) if out else None, err

    return run


@pytest.fixture
def one_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only /certify is asked, for few votes: one thing is wrong, and it shows there."""
    monkeypatch.setattr(walk, "ENDPOINTS", ("certify",))
    monkeypatch.setitem(walk.VOTES, "certify", 64)


def failure(found: tuple[int, Any, str]) -> str:
    """The sentence of the one endpoint that was asked, of a check that failed."""
    code, told, _ = found
    assert (code, told["ok"]) == (1, False)
    (only,) = told["endpoints"]
    return only["problem"]


def test_a_page_is_walked_through_and_what_it_answers_is_verified_here(
    server: Server, check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_nobody_s_business")
    with between(server.url) as stand:
        code, told, _ = check(stand.url)
    assert (code, told["ok"], told["url"]) == (0, True, stand.url), told
    rows = {row["name"]: row for row in told["endpoints"]}
    assert list(rows) == ["certify", "compare", "attack", "learn"]
    for row in rows.values():
        assert 0 < row["heard"] <= row["begun"] <= row["ended"]
        assert re.fullmatch(r"6[.]\d+[.]\d+", row["gradio"])
    for name in ("certify", "compare", "attack"):
        row = rows[name]
        assert row["versions"]["psmooth"] == psmooth.__version__
        assert (row["device"], row["precision"], row["differing"]) == ("cpu", "float32", 0)
    assert rows["certify"]["votes"] == 1_064, "64 selection votes and 1,000 counted ones, drawn again"
    assert rows["compare"]["certificates"] == 7, "pocket has banks for every method"
    assert rows["learn"]["said"] == "learned from 6 scans", "of each class one of four is held out"
    shown = "".join(value for _, headers in stand.asked for value in headers.values())
    assert "hf_nobody" not in shown, "no token of this machine's is shown to a page"
    files = [body for body in stand.sent if b"PNG" in body]
    assert len(files) == 4
    assert walk._png(walk.CLASS, walk.SEED) in files[0]


def test_the_scans_that_are_sent_are_drawn_ones(tmp_path: Path) -> None:
    scan, files = walk.drawn(tmp_path)
    phantom = open_scan(draw_phantom(walk.TASK, walk.CLASS, walk.SEED).pixels)
    assert crop_scan(scan, CropRule(size=64)).sha256 == crop_scan(phantom, CropRule(size=64)).sha256
    assert {file.name for file in files.values()} == {"scan.png", "scans.zip"} == {f.name for f in tmp_path.iterdir()}


@pytest.mark.usefixtures("one_endpoint")
def test_the_table_has_a_row_for_each_endpoint(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["check-space", server.url, "--device", "cpu"])
    assert left.value.code == 0
    out, err = capsys.readouterr()
    head, row, said = out.splitlines()
    assert [one for one in re.split(r"  +", head) if one][:4] == ["endpoint", "result", "first word", "run begins"]
    cells = re.split(r"  +", row)
    assert (cells[0], cells[1], cells[5]) == ("certify", "passed", psmooth.__version__)
    assert cells[-1] == "128 of 128 again"
    assert said.startswith("certify: ")
    assert err == "certify: passed\n"


def test_a_device_that_is_not_here_is_refused_before_anybody_is_asked(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["check-space", f"http://127.0.0.1:{free_port()}", "--device", "abacus"])
    assert left.value.code == 2
    assert capsys.readouterr().err.startswith("The device 'abacus' is not on this machine.")


# --- servers that are wrong


@pytest.fixture
def web_page(tmp_path: Path) -> Iterator[str]:
    """A server of files, which has never heard of psmooth."""
    (tmp_path / "index.html").write_text("<p>Something else.</p>")

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            """Nothing is said."""

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path))) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_where_something_else_answers_nothing_is_checked(web_page: str, check: Check) -> None:
    code, told, err = check(web_page)
    assert (code, told) == (2, None)
    assert err.startswith(f"What answers at {web_page} is no page of psmooth. Give the address")


def test_a_page_without_any_of_the_endpoints_is_none_of_psmooth_s(server: Server, check: Check) -> None:
    with between(server.url, without=("/certify", "/compare", "/attack", "/learn")) as stand:
        code, _, err = check(stand.url)
    assert (code, "is no page of psmooth" in err) == (2, True)


def test_where_nobody_listens_no_page_answers(check: Check) -> None:
    code, told, err = check(f"http://127.0.0.1:{free_port()}")
    assert (code, told) == (2, None)
    assert err.startswith("No page answers at http://127.0.0.1:")


def test_what_takes_a_connection_and_says_nothing_is_left_after_a_while(check: Check) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        code, _, err = check(f"http://127.0.0.1:{deaf.getsockname()[1]}", "--timeout", 2)
    assert (code, "No page answers" in err) == (2, True)


@pytest.mark.parametrize("url", ["somebody/psmooth", "file:///etc/passwd", ""])
def test_what_is_no_address_is_refused(url: str, check: Check) -> None:
    code, _, err = check(url)
    assert code == 2
    assert err == (
        f"'{url}' is no address of a page; expected is http:// or https://, of a Space https://OWNER-NAME.hf.space.\n"
    )


def test_a_page_that_lacks_an_endpoint_fails_the_check_and_the_others_are_still_asked(
    server: Server, check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walk, "ENDPOINTS", ("learn", "certify"))
    monkeypatch.setitem(walk.VOTES, "certify", 64)
    with between(server.url, without=("/learn",)) as stand:
        code, told, _ = check(stand.url)
    lacking, certified = told["endpoints"]
    assert (code, lacking["ended"], certified["problem"]) == (1, None, None)
    assert lacking["problem"] == "The page has no endpoint /learn. Update psmooth there, and check again."


@pytest.mark.usefixtures("one_endpoint")
def test_a_page_that_never_ends_is_left_after_a_while(server: Server, check: Check) -> None:
    with between(server.url, silent=True) as stand:
        said = failure(check(stand.url, "--timeout", 15))
    assert said.startswith("The page did not bring /certify to an end within 15 seconds.")


@pytest.mark.usefixtures("one_endpoint")
def test_a_connection_that_breaks_is_said(server: Server, check: Check) -> None:
    with between(server.url, cuts=True) as stand:
        said = failure(check(stand.url, "--timeout", 60))
    assert said == "The connection to the page broke during /certify. Look into its log, and check again."


@pytest.mark.usefixtures("one_endpoint")
def test_what_the_page_refuses_is_said_in_its_words(
    server: Server, check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(walk.MODEL, "certify", "no such model")
    said = failure(check(server.url))
    assert said.startswith("The page refused /certify: '")
    assert "no such model" in said


def stronger(step: Any) -> None:
    step["certificate"]["radius"] = (step["certificate"]["radius"] or 0) + 0.1


def invented(step: Any) -> None:
    """Every vote for one class, with the bounds and the radius that follow: only drawing them again shows it."""
    run = read_certificate(step["certificate"]).run
    none, all_of_it = (0,) * len(run.class_ids), (64, *(0,) * (len(run.class_ids) - 1))
    votes = advance(Votes(all_of_it, none), all_of_it, 0, run)
    step["certificate"] = conclude(run, replace(votes, ended="complete")).to_dict()


def of_another_model(step: Any) -> None:
    step["certificate"]["model"]["weights"] = "hf-hub:somebody/elses"


def of_another_scan(step: Any) -> None:
    step["certificate"]["crop_sha256"] = "0" * 64


def stopped(step: Any) -> None:
    """No vote at all: such a record agrees with itself, and with whatever is drawn again."""
    run = read_certificate(step["certificate"]).run
    none = (0,) * len(run.class_ids)
    step["certificate"] = conclude(run, Votes(none, none, ended="stopped")).to_dict()


def of_no_kind(step: Any) -> None:
    step["certificate"] = "/etc/hostname"


@pytest.mark.usefixtures("one_endpoint")
@pytest.mark.parametrize(
    ("alter", "words"),
    [
        (stronger, "The certificate from /certify does not hold: "),
        (invented, "The certificate from /certify does not hold: "),
        (of_another_scan, "The certificate from /certify does not hold: "),
        (of_another_model, "The certificate from /certify has another model than was asked for."),
        (stopped, "The certificate from /certify has another ended than was asked for."),
        (of_no_kind, "What /certify answered is not what psmooth answers."),
    ],
)
def test_an_altered_certificate_fails_the_check(
    server: Server, check: Check, alter: Callable[[Any], None], words: str
) -> None:
    with between(server.url, alter=alter) as stand:
        assert failure(check(stand.url)).startswith(words)


@pytest.mark.parametrize("many", [6, 8])
def test_a_comparison_of_fewer_or_more_methods_fails_before_any_is_recomputed(
    server: Server, models_served: str, check: Check, monkeypatch: pytest.MonkeyPatch, many: int
) -> None:
    """More would cost this machine its time, each of them; fewer would leave out those that do not hold."""

    def alter(step: Any) -> None:
        step["certificates"] = [step["certificates"][0]] * many

    monkeypatch.setattr(walk, "ENDPOINTS", ("compare",))
    monkeypatch.setitem(walk.MODEL, "compare", models_served.split(";")[0])
    monkeypatch.setattr(walk, "verify", lambda _: pytest.fail("recomputed"))
    with between(server.url, alter=alter) as stand:
        assert failure(check(stand.url)) == ODD


def test_a_comparison_with_a_method_twice_and_another_never_fails(
    server: Server, check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    def alter(step: Any) -> None:
        step["certificates"][-1] = step["certificates"][0]

    monkeypatch.setattr(walk, "ENDPOINTS", ("compare",))
    monkeypatch.setitem(walk.VOTES, "compare", 64)
    monkeypatch.setattr(walk, "_replayed", lambda *_: pytest.fail("drawn again"))
    with between(server.url, alter=alter) as stand:
        assert failure(check(stand.url)) == ODD


# --- servers that mean harm


class Harm(BaseHTTPRequestHandler):
    """Answers that are large, packed, or elsewhere; ``paths`` were asked for."""

    paths: list[str]
    elsewhere = ""

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is said."""

    def do_GET(self) -> None:
        self.paths.append(self.path)
        packed, away = self.path == "/packed", self.path == "/away"
        self.send_response(302 if away else 200)
        headers = {"Content-Encoding": "gzip"} if packed else {"Location": self.elsewhere} if away else {}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(gzip.compress(bytes(600)) if packed else bytes(600))


@pytest.fixture
def harmful() -> Iterator[tuple[str, type[Harm]]]:
    kind = type("Kind", (Harm,), {"paths": []})
    with in_a_thread(kind) as url:
        yield url, kind


@pytest.mark.usefixtures("one_endpoint")
def test_a_page_whose_routes_lie_on_another_machine_is_not_followed_there(
    server: Server, check: Check, harmful: tuple[str, type[Harm]]
) -> None:
    url, inside = harmful
    with between(server.url, points_to=url) as stand:
        code, _, err = check(stand.url)
    assert (code, "is no page of psmooth" in err, inside.paths) == (2, True, [])


def test_one_origin_is_asked_and_so_many_unpacked_bytes_are_read(
    harmful: tuple[str, type[Harm]], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, kind = harmful
    kind.elsewhere = url.replace("127.0.0.1", "localhost") + "/inside"
    plain = httpx.HTTPTransport.handle_request
    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", plain)  # what stands there after the test
    keep_to(f"{url}/page", 1_500)
    assert len(httpx.get(f"{url}/large").content) == 600
    with pytest.raises(OverflowError):
        httpx.get(f"{url}/packed")
    with pytest.raises(PermissionError):
        httpx.get(f"{url}/away", follow_redirects=True)
    with pytest.raises(OverflowError):
        httpx.get(f"{url}/large")
    assert "/inside" not in kind.paths


def test_a_page_s_own_words_make_no_line_of_the_table() -> None:
    said = PageError("The page refused /certify: '{said}'", said="no\nlearn  passed\x1b[31m")
    versions = {"psmooth": "0.1.0\ncompare  passed", "torch": "x" * 2_000}
    lines = list(
        _lines([Outcome("certify", 1.0, 1.0, 1.0, versions=versions, said="a\nb"), Outcome("x", problem=said)])
    )
    assert len(lines) == 5
    assert not any("\n" in line for line in lines)
    assert max(map(len, lines)) < 200


def another_bank(step: Any) -> None:
    file = resource("prompts", "pocket-blood_cells-linear_probe-none.safetensors")
    step["bank"]["file"] = base64.b64encode(file.read_bytes()).decode()


def no_bank(step: Any) -> None:
    step["bank"]["file"] = "not base64 !"


@pytest.mark.parametrize(("alter", "words"), [(another_bank, "was not learned on the scans"), (no_bank, "not what")])
def test_a_bank_of_other_scans_fails_the_check(
    server: Server, check: Check, monkeypatch: pytest.MonkeyPatch, alter: Callable[[Any], None], words: str
) -> None:
    monkeypatch.setattr(walk, "ENDPOINTS", ("learn",))
    with between(server.url, alter=alter) as stand:
        assert words in failure(check(stand.url))
