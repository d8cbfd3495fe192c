"""Says a sentence in the visitor's language, and in words or in symbols, as they have chosen.

It knows nothing about what the sentences are about: they are written in English where they are used, as templates with
names in braces, and `assets/words/` holds for each other language what stands for each template.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from string import Formatter
from typing import Any, Final

from psmooth.errors import PsmoothError
from psmooth.files import resource
from psmooth.tasks import TASKS

LANGUAGES: Final[dict[str, str]] = {
    "en": "English",
    "de": "Deutsch",
    "fr": "Français",
    "es": "Español",
    "zh": "中文",
}


@dataclass(frozen=True)
class Locale:
    """How a visitor wants to be spoken to: a language of ``LANGUAGES``, and symbols for a researcher or words."""

    language: str = "en"
    symbols: bool = False


IN_WORDS: Final = Locale()
_locale: ContextVar[Locale] = ContextVar("locale", default=IN_WORDS)


@contextmanager
def using_locale(locale: Locale) -> Iterator[None]:
    """Everything said inside is said in this locale; it must not span the steps of a generator."""
    token = _locale.set(locale)
    try:
        yield
    finally:
        _locale.reset(token)


def translate(template: str, /, **values: object) -> str:
    """The sentence in the locale in use.

    A template without values is taken as it stands, braces included; one that has no translation is said in English.
    """
    locale = _locale.get()
    if locale.symbols:
        template = symbols().get(template, template)
    template = translations(locale.language).get(template, template)
    return _VALUES.format(template, **values) if values else template


def translate_error(error: PsmoothError) -> str:
    """The sentence of an error, and those within it, in the locale in use."""
    values = {
        name: translate_error(one) if isinstance(one, PsmoothError) else one for name, one in error.values.items()
    }
    return translate(error.template, **values)


class _Values(Formatter):
    """Numbers and class names among the values of a sentence stand in it as its language writes them."""

    def format_field(self, value: Any, format_spec: str) -> str:
        text = super().format_field(value, format_spec)
        if not isinstance(value, int | float):
            return class_words(text)
        return thousands().join(decimal(part) for part in text.split(","))


_VALUES: Final = _Values()


def class_words(name: str) -> str:
    """A class name of a shipped task in the language in use, any other as it is: models read the English ones."""
    return translations(_locale.get().language).get(name, name) if name in _class_names() else name


@cache
def _class_names() -> frozenset[str]:
    return frozenset(name for task in TASKS.values() for name in task.class_names)


def thousands() -> str:
    """What stands between the thousands of a number: where a comma would be read as a decimal one, a narrow space."""
    return "," if _locale.get().language in ("en", "zh") else "\u202f"


def decimal(number: str) -> str:
    """A number that is written with a point, as the language in use writes it: "0,26" in German, French and Spanish.

    For what a visitor reads; files, links and fields that are typed into keep the point.
    """
    return number.replace(".", ",") if _locale.get().language in ("de", "fr", "es") else number


@cache
def translations(language: str) -> dict[str, str]:
    """English templates → those of a language; empty for English."""
    return _read(language) if language != "en" and language in LANGUAGES else {}


@cache
def symbols() -> dict[str, str]:
    """Templates in words → templates in symbols, for those that have both."""
    return _read("symbols")


def _read(name: str) -> dict[str, str]:
    return dict(json.loads(resource("assets", "words", f"{name}.json").read_text(encoding="utf-8")))


def preferred(asked: str | None, accepted: str) -> str:
    """The language that a link asks for, else the first one that a browser accepts and psmooth speaks, else English.

    Args:
        asked: of the address; anything unknown counts as not asked.
        accepted: the header Accept-Language, such as ``de-CH,de;q=0.9,en;q=0.8``; browsers list the best first.
    """
    wanted = [asked or "", *(part.split(";")[0].strip() for part in accepted.split(","))]
    return next((one[:2].lower() for one in wanted if one[:2].lower() in LANGUAGES), "en")
