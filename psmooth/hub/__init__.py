"""The Hugging Face Hub, and files at addresses: fetched whole or not at all.

It knows nothing about models, prompt banks or scans.
"""

from psmooth.hub.download import HTTP_ERROR, Progress, sha256_of
from psmooth.hub.listing import listed_sizes, newest_commit
from psmooth.hub.repository import DEFAULT, Hub, Snapshot, check_files, fetch, no_answer
from psmooth.hub.zip_file import fetch_zip

__all__ = [
    "DEFAULT",
    "HTTP_ERROR",
    "Hub",
    "Progress",
    "Snapshot",
    "check_files",
    "fetch",
    "fetch_zip",
    "listed_sizes",
    "newest_commit",
    "no_answer",
    "sha256_of",
]
