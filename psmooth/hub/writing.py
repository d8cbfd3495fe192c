"""Says in a sentence why the Hub was not written to.

It knows nothing about what was to be written.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from huggingface_hub.errors import HfHubHTTPError, HFValidationError

from psmooth.errors import HubError
from psmooth.hub.download import HTTP_ERROR


@contextmanager
def in_writing(repo: str) -> Iterator[None]:
    """Turn what huggingface_hub raises while ``repo`` is written to into a HubError."""
    try:
        yield
    except HFValidationError as error:
        raise HubError("'{repo}' is no name of a repository; expected is OWNER/NAME.", repo=repo) from error
    except (HfHubHTTPError, HTTP_ERROR, OSError) as error:
        raise _refusal(repo, error) from error
    except (RuntimeError, ValueError) as error:  # so it says that one of several files did not arrive
        raise HubError(
            "{repo} could not be written to: a file did not arrive, and nothing was committed. Try again later.",
            repo=repo,
        ) from error


def _refusal(repo: str, error: BaseException) -> HubError:
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status in (401, 403):
        return HubError(
            "The Hub does not let you write to {repo}. Set HF_TOKEN to a token that may write there, and try again.",
            repo=repo,
        )
    if status is not None:
        return HubError(
            "{repo} could not be written to: the Hub answered {status}. Try again later.", repo=repo, status=status
        )
    return HubError("{repo} could not be written to: the Hub cannot be reached. Try again with a network.", repo=repo)
