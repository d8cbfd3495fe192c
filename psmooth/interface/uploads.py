"""Keeps what a visitor uploads until it is read, once; no longer, and never under a name.

It knows nothing about Gradio, about scans, or how a file comes here.

A file here has no name on the disk: it is opened without one, or loses it in the same moment, so that nothing can find
it, and the system takes it away when it is closed or when the process ends, however it ends. Who uploaded it gets a
random word to ask for it by.
"""

import io
import re
import secrets
import threading
import time
import weakref
from collections import Counter
from typing import IO, Final

from psmooth.errors import ScanError

MOST_FILES: Final = 256
MOST_BYTES: Final = 2**30
SECONDS_UNASKED: Final = 5 * 60
SECONDS_HELD: Final = 60 * 60
SECONDS_BETWEEN_SWEEPS: Final = 30
_WORDS: Final = re.compile(rb"(?<![\w-])[\w-]{32}(?![\w-])")  # as `secrets` writes 24 bytes
GONE: Final = "The uploaded file is not here any more: it was read before, or it waited too long. Upload it again."


class Upload:
    """A file that can be read once; it is gone when it has been read, and when nobody holds it any more.

    Attributes:
        size: bytes.
        address: where it came from.
        since: when it came, in seconds of the monotonic clock.
        drop: closes the file at once; does nothing the second time.
    """

    def __init__(self, file: IO[bytes], size: int = 0, address: str = "") -> None:
        self.size, self.address, self.since, self._file = size, address, time.monotonic(), file
        self.drop = weakref.finalize(self, file.close)

    def read(self) -> bytes:
        """What is in the file, which is closed with it.

        Raises:
            ScanError: it was read before, it waited too long, or there never was one.
        """
        try:
            self._file.seek(0)
            return self._file.read()
        except ValueError as closed:
            raise ScanError(GONE) from closed
        finally:
            self.drop()


def no_upload() -> Upload:
    """What stands for a file that is not here: reading it says so."""
    lost = Upload(io.BytesIO())
    lost.drop()
    return lost


class Uploads:
    """All files of a process that wait to be asked for, and those that were asked for and are not read yet.

    They are bounded in number and bytes. One too many displaces one of the address that fills most of the room, the
    oldest, first among those that nobody has asked for: an uploader neither keeps others from uploading nor takes
    their files away.
    """

    def __init__(self, most_files: int = MOST_FILES, most_bytes: int = MOST_BYTES) -> None:
        self.most_files, self.most_bytes = most_files, most_bytes
        self._waiting: dict[str, Upload] = {}
        self._held: weakref.WeakSet[Upload] = weakref.WeakSet()
        self._lock = threading.Lock()

    def keep(self, file: IO[bytes], size: int, address: str = "") -> str:
        """Keep a file that came from an address; returns the word by which it can be asked for, once."""
        upload, word = Upload(file, size, address), secrets.token_urlsafe(24)
        with self._lock:
            self._make_room(upload)
            self._waiting[word] = upload
        return word

    def claim(self, word: str) -> Upload:
        """The file of that word, which lives from now on as long as it is held; never another one of the server's."""
        with self._lock:
            upload = self._waiting.pop(word, None)
            if upload is None:
                return no_upload()
            self._held.add(upload)
            return upload

    def let_go(self, request: bytes) -> None:
        """Drop what a request asked for that was refused."""
        with self._lock:
            for word in {found.decode() for found in _WORDS.findall(request)} & self._waiting.keys():
                self._waiting.pop(word).drop()

    def sweep(self, unasked: float = SECONDS_UNASKED, held: float = SECONDS_HELD) -> None:
        """Drop what nobody has asked for after so many seconds, and what is still not read."""
        now = time.monotonic()
        with self._lock:
            for word in [word for word, upload in self._waiting.items() if now - upload.since >= unasked]:
                self._waiting.pop(word).drop()
            for upload in [upload for upload in self._held if now - upload.since >= held]:
                upload.drop()

    def keep_sweeping(self) -> None:
        """Sweep from now on, in a thread that nothing else waits for."""
        threading.Thread(target=self._sweeps, name="psmooth-sweep", daemon=True).start()

    def _sweeps(self) -> None:
        while True:
            time.sleep(SECONDS_BETWEEN_SWEEPS)
            self.sweep()

    def __len__(self) -> int:
        return len(self._alive())

    def _alive(self) -> list[Upload]:
        """Every file that is still open, in the order in which they have to go."""
        held = sorted((upload for upload in self._held if upload.drop.alive), key=lambda upload: upload.since)
        return [*self._waiting.values(), *held]

    def _make_room(self, newcomer: Upload) -> None:
        alive = self._alive()
        while alive and not self._hold(all_files := [*alive, newcomer]):
            filled = self._filled_by_address(all_files)
            displaced = max(alive, key=lambda upload: filled[upload.address])  # the first of them: who came first
            alive.remove(displaced)
            displaced.drop()
        self._waiting = {word: upload for word, upload in self._waiting.items() if upload.drop.alive}

    def _hold(self, files: list[Upload]) -> bool:
        return len(files) <= self.most_files and sum(file.size for file in files) <= self.most_bytes

    def _filled_by_address(self, files: list[Upload]) -> dict[str, float]:
        """What share of the room each address takes, in files or in bytes."""
        count, size = Counter[str](), Counter[str]()
        for file in files:
            count[file.address] += 1
            size[file.address] += file.size
        return {one: max(count[one] / self.most_files, size[one] / self.most_bytes) for one in count}
