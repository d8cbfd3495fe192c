"""Gathers the sentences of errors from the source, so that no language lacks one.

It knows nothing about languages, and imports nothing of what it reads but the names of the errors.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from string import Formatter

from psmooth import errors

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted((ROOT / "psmooth").rglob("*.py"))
ERRORS = {
    name: kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, errors.PsmoothError)
}


def error_templates() -> set[str]:
    """Every sentence that is given to an error; what holds no words beside its values needs no translation."""
    found = {template for source, call in error_calls() for template in templates_of(source, call.args[0])}
    return {template for template in found if any(words.strip() for words, *_ in Formatter().parse(template))}


def error_calls() -> list[tuple[Path, ast.Call]]:
    """Every place where an error is made, with the file it stands in."""
    nodes = ((source, node) for source in SOURCES for node in ast.walk(_tree(source)))
    return [(source, node) for source, node in nodes if isinstance(node, ast.Call) and _called(node) in ERRORS]


def templates_of(source: Path, argument: ast.expr) -> tuple[str, ...]:
    """What the first argument of an error may be: a literal, a constant of this module or of another, a row of a table.

    Raises:
        LookupError: it is none of these, so it cannot be translated.
    """
    match argument:
        case ast.Constant(value=str(text)):
            return (text,)
        case ast.Name(id=name):
            return _literals(_constants(source)[name])
        case ast.Attribute(value=ast.Name(id="spec"), attr="access"):
            return tuple(_of_model_table("access"))
        case ast.Attribute(value=ast.Name(id=module), attr=name):
            return _literals(_constant_of(module, name))
        case ast.Subscript(value=ast.Name(id=name)):
            return _literals(_constants(source)[name])
    raise LookupError(f"{source.name}:{argument.lineno}: {ast.unparse(argument)}")


def _constant_of(module: str, name: str) -> ast.expr:
    """A constant of a module, or of any file of a room."""
    files = [ROOT / "psmooth" / f"{module}.py", *(ROOT / "psmooth" / module).glob("*.py")]
    return next(found[name] for found in map(_constants, filter(Path.is_file, files)) if name in found)


@cache
def _tree(source: Path) -> ast.Module:
    return ast.parse(source.read_text("utf-8"))


def _called(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else ""


@cache
def _constants(source: Path) -> dict[str, ast.expr]:
    """The names that a module gives to one value, and these values."""
    found: dict[str, ast.expr] = {}
    for node in _tree(source).body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                found[name] = value
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                found[name] = value
    return found


def _literals(value: ast.expr) -> tuple[str, ...]:
    """A text, or the texts of a table."""
    held = ast.literal_eval(value)
    return tuple(held.values()) if isinstance(held, dict) else (held,)


def _of_model_table(column: str) -> Iterator[str]:
    """What the rows of the model table say there, where it is a literal."""
    for node in ast.walk(_tree(ROOT / "psmooth" / "models" / "table.py")):
        if isinstance(node, ast.keyword) and node.arg == column and isinstance(node.value, ast.Constant):
            yield str(node.value.value)
