"""Says what the Hub lists of a repository: the bytes of each file, and the newest commit.

It knows nothing about models, and fetches no file.
"""

from huggingface_hub import HfApi, get_cached_repo_tree
from huggingface_hub.errors import CachedRepoTreeNotFoundError

from psmooth.hub.download import HTTP_ERROR
from psmooth.hub.repository import DEFAULT, Hub


def listed_sizes(repo: str, commit: str, hub: Hub = DEFAULT) -> dict[str, int]:
    """The bytes of each file of a fetched commit, as the Hub listed them; empty where nobody kept the listing."""
    try:
        return {file.path: file.size for file in get_cached_repo_tree(repo, revision=commit, cache_dir=hub.cache)}
    except CachedRepoTreeNotFoundError:
        return {}


def newest_commit(repo: str, hub: Hub = DEFAULT) -> str | None:
    """The commit that ``main`` stands for now; None where the Hub does not say."""
    try:
        return HfApi(endpoint=hub.endpoint, token=hub.token).repo_info(repo, revision="main").sha
    except (HTTP_ERROR, OSError, ValueError):  # a refusal, no network, something else in the Hub's place
        return None
