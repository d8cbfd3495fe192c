"""Leaves out the tests that want a network or a card unless ``-m`` names them, and says so in one line at the end.

It knows nothing about what they test.
"""

import re
from collections import Counter
from typing import Any

import pytest

ON_REQUEST = ("network", "gpu")  # markers of pyproject.toml, and folders of tests/
_LEFT_OUT = pytest.StashKey[Counter[str]]()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests of those folders bear the folder's marker; those that were not asked for by it go."""
    for item in items:
        for name in {*item.path.parts} & {*ON_REQUEST}:
            item.add_marker(name)
    asked = set(re.findall(r"\w+", str(config.getoption("markexpr"))))
    out = {item: _why(item, asked) for item in items if _why(item, asked)}
    if out:
        items[:] = [item for item in items if item not in out]
        config.hook.pytest_deselected(items=list(out))
    _left_out(config).update(out.values())


def _why(item: pytest.Item, asked: set[str]) -> str:
    """The marker for which it is left out; empty where it stays."""
    return next((name for name in ON_REQUEST if name not in asked and item.get_closest_marker(name)), "")


def _left_out(config: pytest.Config) -> Counter[str]:
    return config.stash.setdefault(_LEFT_OUT, Counter())


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker of pytest-xdist tells the process that writes the summary."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["left_out"] = dict(_left_out(session.config))


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Every worker has collected all tests, so the first one says it."""
    told = Counter(getattr(node, "workeroutput", {}).get("left_out", {}))
    _left_out(node.config).update(told - _left_out(node.config))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    left = _left_out(config)
    if left:
        told = ", ".join(f"{left[name]} of {name} (make test-{name})" for name in ON_REQUEST if left[name])
        terminalreporter.write_line(f"left out, to be asked for: {told}")
