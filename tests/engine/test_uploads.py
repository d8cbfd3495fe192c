"""An upload is read once, and is gone as soon as nobody can read it any more."""

import io
import tempfile
from pathlib import Path

import pytest

from psmooth.errors import ScanError
from psmooth.interface.uploads import Uploads, no_upload


def kept(uploads: Uploads, content: bytes = b"a scan", address: str = "") -> tuple[str, io.BytesIO]:
    file = io.BytesIO(content)
    return uploads.keep(file, len(content), address), file


def test_it_is_read_once_and_closed_with_that() -> None:
    uploads = Uploads()
    word, file = kept(uploads)
    upload = uploads.claim(word)
    assert upload.read() == b"a scan"
    assert file.closed
    with pytest.raises(ScanError, match="not here any more"):
        upload.read()


def test_a_word_is_good_for_one_claim_and_no_other_word_for_any() -> None:
    uploads = Uploads()
    word, _ = kept(uploads)
    first = uploads.claim(word)
    for strange in (word, "", ".", "..", "/etc/passwd", word.lower(), f"{word}/..", f"./{word}"):
        with pytest.raises(ScanError):
            uploads.claim(strange).read()
    assert first.read() == b"a scan"


@pytest.mark.usefixtures("no_collector")
def test_what_nobody_holds_any_more_is_gone_at_once() -> None:
    uploads = Uploads()
    word, file = kept(uploads)
    upload = uploads.claim(word)
    assert not file.closed
    del upload
    assert file.closed
    assert len(uploads) == 0


def test_equal_files_are_different_uploads() -> None:
    uploads = Uploads()
    words = [kept(uploads)[0] for _ in range(4)]
    assert len(set(words)) == 4
    assert [uploads.claim(word).read() for word in words] == [b"a scan"] * 4


def test_one_too_many_displaces_the_oldest_and_first_what_nobody_asked_for() -> None:
    uploads = Uploads(most_files=3)
    asked, asked_file = kept(uploads)
    held = uploads.claim(asked)
    (_, second), (_, third) = kept(uploads), kept(uploads)
    flood = [kept(uploads)[1] for _ in range(50)]
    assert second.closed
    assert third.closed
    assert [file.closed for file in flood] == [True] * 48 + [False] * 2
    assert not asked_file.closed
    assert len(uploads) == 3
    assert held.read() == b"a scan"


def test_bytes_are_bounded_too_and_even_what_is_held_makes_room() -> None:
    uploads = Uploads(most_bytes=1000)
    word, first = kept(uploads, bytes(600))
    held = uploads.claim(word)
    _, second = kept(uploads, bytes(600))
    assert first.closed
    assert not second.closed
    with pytest.raises(ScanError):
        held.read()


@pytest.mark.parametrize("size", [1, 150], ids=["many", "large"])
def test_a_flood_of_one_address_takes_no_file_of_another(size: int) -> None:
    uploads = Uploads(most_files=20, most_bytes=2_000)
    asked, waiting = kept(uploads, address="honest")[0], kept(uploads, address="honest")[1]
    held = uploads.claim(asked)
    flood = [kept(uploads, bytes(size), "greedy") for _ in range(200)]
    assert not waiting.closed
    assert held.read() == b"a scan"
    word, _ = kept(uploads, bytes(300), "late")
    assert len(uploads.claim(word).read()) == 300
    assert not flood[-1][1].closed, "of its own files the oldest went"


def test_a_sweep_takes_what_is_old_and_a_flood_of_small_files_does_not_stop_it() -> None:
    uploads = Uploads()
    files = [kept(uploads, b"x")[1] for _ in range(2_000)]
    held = uploads.claim(kept(uploads)[0])
    uploads.sweep(unasked=0)
    assert all(file.closed for file in files)
    assert len(uploads) == 1
    uploads.sweep(held=0)
    with pytest.raises(ScanError):
        held.read()


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="there is no /proc to see open files in")
def test_a_large_file_has_no_name_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does it lie elsewhere than where TMPDIR says."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)  # what was read before
    uploads = Uploads()
    file = tempfile.SpooledTemporaryFile(max_size=1)  # as Starlette makes them  # noqa: SIM115
    file.write(bytes(100_000))
    file.flush()
    place = Path(f"/proc/self/fd/{file.fileno()}").readlink()
    assert place.parent == tmp_path
    assert not place.exists()
    assert list(tmp_path.iterdir()) == []
    assert uploads.claim(uploads.keep(file, 100_000)).read() == bytes(100_000)  # type: ignore[arg-type]


def test_nothing_stands_for_a_file_that_never_was() -> None:
    with pytest.raises(ScanError, match="Upload it again"):
        no_upload().read()
