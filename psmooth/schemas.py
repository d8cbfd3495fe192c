"""Holds JSON against the schemas that ship, and says in a sentence where it departs from one.

It knows nothing about what a field is for.
"""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from itertools import islice
from typing import Any

from psmooth.files import resource

MOST_PROBLEMS = 100  # a file full of nonsense is refused quickly

Problem = tuple[str, str]  # (field of the file, sentence)


@cache
def schema(name: str) -> dict[str, Any]:
    """That of ``assets/{name}.schema.json``; the name is also what such a file is called in a sentence."""
    return json.loads(resource("assets", f"{name}.schema.json").read_text(encoding="utf-8"))


def schema_problems(name: str, record: Mapping[str, Any]) -> list[Problem]:
    """Where the record departs from the schema, or holds a number that is not finite.

    Raises RecursionError for a record nested deeper than can be looked through.
    """
    errors = islice(_validator(name).iter_errors(record), MOST_PROBLEMS)
    found = dict.fromkeys(problem for error in errors for problem in _sentences(name, error))
    wrong = {field for field, _ in found}
    return [
        *found,
        *(
            (field, f"{field} holds a number that is not finite, as every number of a {name} is.")
            for field, value in record.items()
            if field not in wrong and not _is_finite(value)
        ),
    ]


def in_words(value: Any) -> str:
    """A value of the file as a short piece of a sentence."""
    if isinstance(value, dict):
        return f"an object with {len(value)} entries"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    return clip(json.dumps(value, ensure_ascii=False))


def clip(text: str) -> str:
    """As much of a text as a sentence can hold."""
    return text if len(text) <= 60 else text[:57] + "…"


@cache
def _validator(name: str) -> Any:
    from jsonschema import Draft202012Validator  # slow to import, so not before the first file

    return Draft202012Validator(schema(name))


def _sentences(name: str, error: Any) -> Iterator[Problem]:
    """One deviation as sentences; the schema's descriptions say what was expected."""
    path = [str(step) for step in error.absolute_path]
    if error.validator == "required":
        for field in error.validator_value:
            if field not in error.instance:
                yield (path or [field])[0], f"{'.'.join([*path, field])} is missing; every {name} has it."
    elif error.validator == "additionalProperties":
        known = error.schema["properties"]
        for field in islice((field for field in error.instance if field not in known), MOST_PROBLEMS):
            yield (path or [field])[0], f"{clip('.'.join([*path, field]))} is unknown; no {name} has it."
    else:
        expected = error.schema.get("description") or schema(name)["properties"][path[0]]["description"]
        yield path[0], f"{clip('.'.join(path))} is {in_words(error.instance)}; expected {expected}."


def _is_finite(value: Any) -> bool:
    """Whether every number in it is one that a float can hold."""
    if isinstance(value, int | float):
        return abs(value) <= sys.float_info.max
    inner: Iterable[Any] = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return all(map(_is_finite, inner))
