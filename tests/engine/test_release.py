"""What a release stands on: one version, a citation, workflows that name what exists, tests that are left out aloud.

It knows nothing about what the tests of the workflows test.
"""

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from packaging.specifiers import SpecifierSet

import psmooth
from psmooth.command_line.run import cli
from tests.on_request import ON_REQUEST

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PYTHONS = ["3.11", "3.12", "3.13", "3.14"]


def read(file: Path) -> dict[str, Any]:
    """A workflow; YAML takes its key ``on`` for a truth value."""
    return yaml.safe_load(file.read_text("utf-8"))


def steps_of(file: Path) -> list[dict[str, Any]]:
    return [step for job in read(file)["jobs"].values() for step in job["steps"]]


def test_the_version_is_the_same_wherever_it_stands() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert PROJECT["project"]["version"] == psmooth.__version__ == citation["version"]
    assert f"\n## {psmooth.__version__} " in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_the_citation_says_what_the_project_says_of_itself() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert (citation["title"], citation["license"]) == (PROJECT["project"]["name"], PROJECT["project"]["license"])
    assert set(citation["keywords"]) == set(PROJECT["project"]["keywords"])
    papers = {one["identifiers"][0]["value"].removeprefix("arXiv:") for one in citation["references"]}
    named = re.findall(r"arxiv.org/abs/([\d.]+)", (ROOT / "README.md").read_text("utf-8"))
    assert papers == set(named)


def test_three_systems_and_every_python_are_tried() -> None:
    matrix = read(ROOT / ".github" / "workflows" / "tests.yml")["jobs"]["tests"]["strategy"]["matrix"]
    assert {name.partition("-")[0] for name in matrix["os"]} == {"ubuntu", "macos", "windows"}
    assert matrix["python"] == PYTHONS
    assert all(one in SpecifierSet(PROJECT["project"]["requires-python"]) for one in PYTHONS)
    assert "3.10" not in SpecifierSet(PROJECT["project"]["requires-python"])


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_a_workflow_needs_no_secret_and_may_write_nothing(file: Path) -> None:
    assert "secrets" not in file.read_text("utf-8")
    assert read(file)["permissions"] == {"contents": "read"}
    assert all(job["timeout-minutes"] for job in read(file)["jobs"].values())
    assert all(re.fullmatch(r"actions/[\w-]+@v\d+", step["uses"]) for step in steps_of(file) if "uses" in step)


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_a_workflow_runs_what_exists(file: Path) -> None:
    lines = "\n".join(step.get("run", "") for step in steps_of(file))
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z-]+)", lines)) <= targets
    commands = {*typer.main.get_group(cli).commands, "--version"}
    assert set(re.findall(r"(?:-m psmooth|bin/psmooth\") (\S+)", lines)) <= commands
    extras = {word for found in re.findall(r"'\.\[([\w,]+)\]'", lines) for word in found.split(",")}
    assert extras <= PROJECT["project"]["optional-dependencies"].keys()


def test_the_workflows_are_there() -> None:
    assert [file.name for file in WORKFLOWS] == ["nightly.yml", "tests.yml"]
    lines = "\n".join(step.get("run", "") for file in WORKFLOWS for step in steps_of(file))
    assert {"make lint", "make test-network"} <= set(re.findall(r"make [a-z-]+", lines))
    assert "docker build" in lines
    assert "psmooth check-space" in lines


# --- tests that are left out


def collected(*words: str) -> tuple[list[str], str]:
    """The tests that pytest would run of network and gpu, and its last lines."""
    folders = [f"tests/{name}" for name in ON_REQUEST]
    command = [sys.executable, "-m", "pytest", "-p", "no:xdist", "--collect-only", "-q", *folders, *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    return re.findall(r"^(tests/\S+)::", done.stdout, re.MULTILINE), done.stdout


@pytest.mark.parametrize("words", [(), ("-m", "not browser")])
def test_what_wants_a_network_or_a_card_is_left_out_and_counted_in_one_line(words: tuple[str, ...]) -> None:
    found, out = collected(*words)
    assert found == []
    (line,) = re.findall(r"^left out, to be asked for: (.*)$", out, re.MULTILINE)
    assert re.fullmatch(r"\d+ of network \(make test-network\), \d+ of gpu \(make test-gpu\)", line)


@pytest.mark.parametrize("name", ON_REQUEST)
def test_what_is_asked_for_is_run(name: str) -> None:
    found, out = collected("-m", name)
    assert found
    assert all(file.startswith(f"tests/{name}/") for file in found)
    (line,) = re.findall(r"^left out, to be asked for: (.*)$", out, re.MULTILINE)
    assert f"of {name} " not in line
    target = re.search(rf"^test-{name}: .*\n\t(.*)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert target
    assert f"tests/{name} -m {name} " in target[1]
    assert f"make test-{name} " in (ROOT / "Makefile").read_text("utf-8").partition("demo:")[0]
