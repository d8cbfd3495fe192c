"""The errors of psmooth, each with a message that is shown to the visitor, in English or in the visitor's language.

This module knows nothing about the rest of the package.

    PsmoothError
    ├── ScanError          the file is not a scan that can be read
    ├── ModelError         a model cannot be found or loaded
    ├── HubError           a file cannot be fetched from the Hub, or is not the recorded one
    ├── TaskError          class names or templates that cannot be used
    ├── PlanError          a number that no certificate can be computed with
    ├── BusyError          as many runs are here as this server takes
    ├── ClusterError       a cluster cannot be joined, or its workers do not answer as this machine would
    ├── PageError          a served page does not answer as one of psmooth's
    └── CertificateError   a certificate file that is damaged or altered

A message says what was wrong, what was expected, and what to do.
"""

from typing import Any


class PsmoothError(Exception):
    """Anything psmooth refuses; the message is a sentence for the visitor.

    Attributes:
        template: the sentence in English, with names in braces where values go; without values it stands as it is.
        values: what goes there, an error's sentence too. Both are kept apart so that all of it can be said in another
            language.
    """

    def __init__(self, template: str, /, **values: object) -> None:
        super().__init__(template.format(**values) if values else template)
        self.template, self.values = template, values

    def __reduce__(self) -> "tuple[Any, ...]":
        return rebuilt, (type(self), self.template, self.values)


def rebuilt(kind: "type[PsmoothError]", template: str, values: dict[str, object]) -> PsmoothError:
    """An error that was raised in another process."""
    return kind(template, **values)


class ScanError(PsmoothError):
    """The bytes given are not a scan that psmooth can read."""


class ModelError(PsmoothError):
    """A model is unknown, incomplete, altered or not to be had."""


class HubError(PsmoothError):
    """A repository or file cannot be fetched: unknown, gated, out of reach, altered, or larger than the disk."""


class TaskError(PsmoothError):
    """A task, its class names or its templates cannot be used."""


class PlanError(PsmoothError, ValueError):
    """A noise level, failure probability or number of votes outside its range."""


class BusyError(PsmoothError):
    """As many runs are here as may be, of everybody or of one client; nothing is wrong with what was asked."""


class ClusterError(PsmoothError):
    """A Ray cluster is out of reach, has no room, or its workers are lost or differ from this machine."""


class PageError(PsmoothError):
    """A served page is out of reach, none of psmooth's, late, or says what does not hold."""


class CertificateError(PsmoothError):
    """A certificate file cannot be read, or does not agree with itself."""


class DenoiserError(PsmoothError):
    """A denoiser that does not exist, is damaged or belongs to another model."""


class BankError(PsmoothError):
    """A prompt bank is missing, altered, unsafe, or of another model, task or denoiser."""
