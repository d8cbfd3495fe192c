"""Zips as other programs write them, and zips built to take memory or time.

Oracles: `zipfile` as the writer; the folders that were packed; what `tracemalloc` has seen.
"""

import io
import struct
import tracemalloc
import unicodedata
import zipfile
import zlib
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from psmooth.errors import ScanError
from psmooth.scans import archive as archives
from psmooth.scans.archive import read_archive


def _picture(level: int = 90, side: int = 20) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((side, side), level, np.uint8)).save(file, "PNG")
    return file.getvalue()


def _packed(path: Path, entries: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as file:
        for name, content in entries.items():
            file.writestr(name, content)
    return path


def _refused(path: Path, words: str) -> None:
    for given in (path, io.BytesIO(path.read_bytes())):
        with pytest.raises(ScanError, match=words):
            list(read_archive(given))


def _folders(path: Path) -> list[str]:
    found = [[folder for folder, _ in read_archive(given)] for given in (path, io.BytesIO(path.read_bytes()))]
    assert found[0] == found[1], "a path and an open file"
    return found[0]


@pytest.mark.parametrize("between", ["/", "\\"])
def test_folders_before_slashes_and_backslashes_are_classes(tmp_path: Path, between: str) -> None:
    names = [between.join(["scans", folder, f"{n}.png"]) for folder in ("eins", "zwei") for n in (1, 2)]
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as file:
        for name in names:
            entry = zipfile.ZipInfo("x")
            entry.filename = name
            file.writestr(entry, _picture())
    assert _folders(path) == ["eins", "eins", "zwei", "zwei"]


@pytest.mark.parametrize("above", ["./", ".\\", "../", "/", "./a/./", "a/../", "a//"])
def test_a_class_is_a_folder_and_nothing_else_that_a_path_says(tmp_path: Path, above: str) -> None:
    slash = "\\" if "\\" in above else "/"
    inside = {f"{above}eins{slash}.{slash}1.png": _picture(), f"{above}zwei{slash}x{slash}..{slash}2.png": _picture()}
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as file:
        for name, content in inside.items():
            entry = zipfile.ZipInfo("x")
            entry.filename = name
            file.writestr(entry, content)
    assert _folders(path) == ["eins", "zwei"]
    alone = _packed(tmp_path / "b.zip", {f"{above.replace(slash, '/')}1.png": _picture()})
    assert _folders(alone) == ["a" if above in ("./a/./", "a//") else ""]


def test_what_other_programs_leave_beside_the_scans_is_passed_over(tmp_path: Path) -> None:
    beside = (
        "a/._1.png", "__MACOSX/a/._1.png", "a/.ipynb_checkpoints/1.png", "a/Thumbs.db", ".DS_Store", "a/x.png/",
        "a/desktop.ini", "a/@eaDir/1.png/SYNOPHOTO_THUMB_S.jpg", "$RECYCLE.BIN/a/1.png", "__MACOSX\\a\\1.png",
    )  # fmt: skip
    path = _packed(tmp_path / "a.zip", {"a/1.png": _picture(), **dict.fromkeys(beside, b"x")})
    assert _folders(path) == ["a"]


def test_names_of_old_programs_and_of_every_script(tmp_path: Path) -> None:
    path = _packed(tmp_path / "a.zip", {"肺炎/1.png": _picture(), "M\xfcll/1.png": _picture()})
    assert sorted(_folders(path)) == ["Müll", "肺炎"]
    assert _folders(_packed(path, {unicodedata.normalize("NFD", "Müll") + "/1.png": _picture()})) == ["Müll"]


def _named(path: Path, names: Iterable[bytes], extra: bytes = b"", system: int = 3) -> Path:
    """A zip with these names as they stand, and no word on what they are written in."""
    entries = []
    with zipfile.ZipFile(path, "w") as file:
        for number, name in enumerate(names):
            entries.append((b"%06d" % number * len(name))[: len(name)])
            entry = zipfile.ZipInfo(entries[-1].decode())
            entry.extra, entry.create_system = extra, system
            file.writestr(entry, _picture())
    data = path.read_bytes()
    for name, entry in zip(names, entries, strict=True):
        data = data.replace(entry, name)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("page", "word"),
    [
        ("gbk", "肺炎"), ("shift_jis", "表層"), ("shift_jis", "ソ"), ("big5", "功能"), ("euc_kr", "정상"),
        ("cp437", "Müll"), ("cp1252", "Müll"), ("cp866", "норма"), ("latin-1", "bénin"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("between", ["/", "\\"])
def test_a_class_in_an_unknown_code_page_is_asked_about(tmp_path: Path, page: str, word: str, between: str) -> None:
    path = _named(tmp_path / "a.zip", [f"{word}{between}1.png".encode(page), b"plain/2.png"])
    _refused(path, "in which code page")


def test_names_in_utf_8_need_no_flag(tmp_path: Path) -> None:
    assert _folders(_named(tmp_path / "a.zip", ["肺炎/1.png".encode(), "bénin/2.png".encode()])) == ["bénin", "肺炎"]


def test_a_name_of_a_dos_program_that_could_be_utf_8_is_asked_about(tmp_path: Path) -> None:
    assert "一".encode("gbk").decode() == "һ", "another letter in UTF-8"
    _refused(_named(tmp_path / "a.zip", ["一/1.png".encode("gbk")], system=0), "in which code page")


def test_the_field_of_info_zip_says_what_a_name_is(tmp_path: Path) -> None:
    written, meant = "肺炎/1.png".encode("gbk"), "肺炎/1.png".encode()
    body = b"\1" + zlib.crc32(written).to_bytes(4, "little") + meant
    field = struct.pack("<HH", 0x7075, len(body)) + body
    assert _folders(_named(tmp_path / "a.zip", [written], field)) == ["肺炎"]
    assert _folders(_named(tmp_path / "a.zip", [written], b"\1\0\2\0xx" + field)) == ["肺炎"], "behind another field"
    _refused(_named(tmp_path / "a.zip", [b"\xff" + written], field), "in which code page")  # of another name


def test_a_file_in_an_unknown_code_page_lies_in_a_folder_that_is_known(tmp_path: Path) -> None:
    assert _folders(_named(tmp_path / "a.zip", ["plain/肺炎.png".encode("gbk")])) == ["plain"]


def test_a_scan_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    path = _packed(tmp_path / "a.zip", {"a/1.png": _picture(), "a/2.png": _picture()[:45]})
    _refused(path, r"'a/2.png' in the zip: This PNG is cut short")
    _refused(
        _packed(path, {"x" * 200 + "/2.png": b"", "\x1b[2J.txt": b""}), "'…x{53}/2.png' in the zip: The file is empty"
    )


@pytest.mark.parametrize(
    ("number", "word"),
    [(1, "Shrink"), (6, "Implode"), (9, "Deflate64"), (20, "Zstandard"), (93, "Zstandard"), (95, "XZ"), (98, "PPMd")],
)
def test_packings_that_python_does_not_write_are_refused_by_name(tmp_path: Path, number: int, word: str) -> None:
    path = _packed(tmp_path / "a.zip", {"a/1.png": _picture()})
    data = bytearray(path.read_bytes())
    for sign, place in ((b"PK\1\2", 10), (b"PK\3\4", 8)):
        struct.pack_into("<H", data, data.index(sign) + place, number)
    path.write_bytes(data)
    _refused(path, f"packed by {word}")


@pytest.mark.parametrize(("method", "word"), [(zipfile.ZIP_BZIP2, "bzip2"), (zipfile.ZIP_LZMA, "LZMA")])
def test_other_ways_of_packing_are_refused_by_name(tmp_path: Path, method: int, word: str) -> None:
    _refused(
        _packed(tmp_path / "a.zip", {"a/1.png": bytes(10**6)}, method), f"'a/1.png' in the zip is packed by {word}"
    )


def test_an_unknown_way_of_packing_is_refused_by_number(tmp_path: Path) -> None:
    path = _packed(tmp_path / "a.zip", {"a/1.png": _picture()})
    data = bytearray(path.read_bytes())
    struct.pack_into("<H", data, data.index(b"PK\1\2") + 10, 96)
    path.write_bytes(data)
    _refused(path, "packed by 96")


def test_an_encrypted_zip_is_refused(tmp_path: Path) -> None:
    path = _packed(tmp_path / "a.zip", {"a/1.png": _picture()})
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(data)
    _refused(path, "encrypted")


def _claiming(path: Path, size: int) -> None:
    """Let the list of a zip say that its files have that many bytes."""
    data, place = bytearray(path.read_bytes()), -1
    while (place := data.find(b"PK\1\2", place + 1)) >= 0:
        struct.pack_into("<I", data, place + 24, size)
    path.write_bytes(data)


def _memory(path: Path, words: str) -> int:
    tracemalloc.start()
    try:
        _refused(path, words)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("claimed", [100, 300_000_000])
def test_a_zip_that_lies_about_its_sizes_is_read_in_bounds(tmp_path: Path, claimed: int) -> None:
    path = _packed(tmp_path / "a.zip", {"a/1.png": _picture() + bytes(200_000_000)})
    _claiming(path, claimed)
    words = "damaged|cut short" if claimed == 100 else "'a/1.png' in the zip is larger than 64 MB"
    assert _memory(path, words) < 140_000_000


def test_files_that_share_their_bytes_are_counted_as_often_as_they_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "MOST_BYTES", 500_000)
    picture = _picture() + bytes(100_000)
    path = _packed(tmp_path / "a.zip", {f"a/{n}.png": picture for n in range(9)})
    _refused(path, "together")
    data, first = bytearray(path.read_bytes()), -1
    while (first := data.find(b"PK\1\2", first + 1)) >= 0:
        data[first + 42 : first + 46] = bytes(4)  # all lie where the first one does
        data[first + 46 : first + 53] = b"a/0.png"
    path.write_bytes(data)
    _claiming(path, 50_000)
    _refused(path, "damaged|together")


def test_pixels_and_seconds_of_a_zip_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _packed(tmp_path / "a.zip", {f"a/{n}.png": _picture() for n in range(9)})
    monkeypatch.setattr(archives, "MOST_PIXELS", 5 * 400)
    _refused(path, "take too long")
    monkeypatch.setattr(archives, "MOST_PIXELS", 10**9)
    assert len(_folders(path)) == 9
    monkeypatch.setattr(archives, "MOST_SECONDS", 0.0)
    _refused(path, "take too long")


def test_a_long_list_is_refused_before_it_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _packed(tmp_path / "a.zip", {f"{n}": b"" for n in range(300)})
    monkeypatch.setattr(archives, "_MOST_ENTRIES", 299)
    _refused(path, "300 files in the zip")
    monkeypatch.setattr(archives, "_LONGEST_LIST", 10_000)
    _refused(path, "list of files in the zip is longer")


def test_a_zip_damaged_anywhere_is_refused_in_words_or_read(tmp_path: Path) -> None:
    path, generator = (
        _packed(tmp_path / "a.zip", {f"a/{n}.png": _picture(n) for n in range(2)}),
        np.random.default_rng(4),
    )
    data = path.read_bytes()
    for _ in range(150):
        damaged = bytearray(data)
        for place in generator.integers(0, len(data), 3):
            damaged[place] = generator.integers(256)
        path.write_bytes(damaged[: generator.integers(len(data) // 2, len(data) + 1)])
        with suppress(ScanError):
            assert all(scan.width == 20 for _, scan in read_archive(path))
