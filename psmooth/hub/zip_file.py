"""Fetches a zip from an address, whole or not at all.

It knows nothing about repositories, models or scans.
"""

import shutil
import zipfile
from pathlib import Path

from huggingface_hub.errors import HfHubHTTPError

from psmooth.errors import HubError
from psmooth.hub.download import (
    HTTP_ERROR,
    Progress,
    check_room,
    distrusted,
    download,
    is_distrust,
    tell_nobody,
    unwritable,
)
from psmooth.hub.repository import DEFAULT, Hub, Snapshot


def fetch_zip(url: str, sha256: str, *, progress: Progress | None = None, hub: Hub = DEFAULT) -> Snapshot:
    """Unpack a zip from an address into the cache; its sha256 is its revision.

    A download that was cut off goes on where it stopped, also after a restart. The folder appears when all of it is
    there.

    Raises:
        HubError: the address is out of reach, the disk is full, or the file is not the one on record.
    """
    folder, name = hub.own_folder() / sha256, url.rsplit("/", 1)[-1]
    if not folder.is_dir():
        try:
            archive = folder.with_suffix(".zip")
            download(url, archive, sha256, name=name, progress=progress or tell_nobody)
            _unpack(archive, folder)
            archive.unlink()
        except HfHubHTTPError as error:
            status = error.response.status_code
            raise HubError(
                "{name} is not to be had: its server answered {status}. Try again later.", name=name, status=status
            ) from error
        except ConnectionError as error:  # huggingface_hub is told to stay offline
            raise _out_of_reach(name, error) from error
        except OSError as error:
            raise unwritable(error, name) from error
        except HTTP_ERROR as error:
            raise _out_of_reach(name, error) from error
    return Snapshot(folder, sha256)


def _out_of_reach(name: str, error: BaseException) -> HubError:
    if is_distrust(error):
        return distrusted(name)
    return HubError(
        "The server of {name} cannot be reached or broke off, and the file is not in the cache. Try again with a "
        "network; it goes on where it stopped.",
        name=name,
    )


def _unpack(archive: Path, folder: Path) -> None:
    """The folder appears when all of it is there."""
    scratch = folder.with_suffix(".unpacking")
    shutil.rmtree(scratch, ignore_errors=True)
    with zipfile.ZipFile(archive) as opened:
        check_room(scratch.parent, sum(entry.file_size for entry in opened.infolist()))
        opened.extractall(scratch)  # leaves out absolute paths and those that climb
    scratch.rename(folder)
