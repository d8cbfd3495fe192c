"""Checks what a visitor installs: the wheel, the lists of dependencies, and the commands the documents promise.

It knows nothing about what the commands compute.
"""

import ast
import importlib.metadata
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import threading
import tomllib
import zipfile
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import typer
from hatchling.builders.wheel import WheelBuilder
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

import psmooth
from psmooth.command_line.run import cli

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def requirements(lines: Iterable[str]) -> dict[str, Requirement]:
    """The requirements among the lines of a file, by canonical name."""
    stated = [line.split("#")[0].strip() for line in lines]
    parsed = [Requirement(line) for line in stated if line]
    return {canonicalize_name(requirement.name): requirement for requirement in parsed}


def listed(name: str) -> dict[str, Requirement]:
    """The requirements in a file beside pyproject.toml."""
    return requirements((ROOT / name).read_text(encoding="utf-8").splitlines())


RUN_TIME = listed("requirements.txt")
EXTRAS = {extra: requirements(lines) for extra, lines in PROJECT["optional-dependencies"].items()}
ON_SPACES = {"spaces": EXTRAS["test"]["spaces"]}  # a Space brings it, and nothing imports it anywhere else
READERS = EXTRAS["nifti"] | EXTRAS["slides"]  # imported by the readers of these files, in processes of their own
EVERYTHING = RUN_TIME | EXTRAS["test"] | EXTRAS["train"] | EXTRAS["bench"] | READERS


def imported(source: Path) -> set[str]:
    """The top-level names that a Python file imports from elsewhere, lazily or not."""
    names = set()
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names


def distributions(sources: Iterable[Path]) -> dict[str, set[str]]:
    """By third-party import name, the distributions that could bring it."""
    sources = list(sources)
    ours = {"app", "psmooth", "tests"} | {source.stem for source in sources}
    names = set().union(*map(imported, sources)) - set(sys.stdlib_module_names) - ours
    installed = importlib.metadata.packages_distributions()
    return {name: {canonicalize_name(found) for found in installed.get(name, [name])} for name in names}


@pytest.mark.parametrize(
    ("patterns", "allowed"),
    [
        (("psmooth/**/*.py", "app.py"), RUN_TIME | ON_SPACES | READERS),
        (("assets/**/*.py",), RUN_TIME | EXTRAS["train"]),
        (("tests/**/*.py",), EVERYTHING),
    ],
    ids=["run time", "training", "tests"],
)
def test_every_third_party_import_is_listed(patterns: tuple[str, ...], allowed: dict[str, Requirement]) -> None:
    sources = [source for pattern in patterns for source in ROOT.glob(pattern)]
    missing = {name: found for name, found in distributions(sources).items() if not found & allowed.keys()}
    assert not missing


def test_an_extra_is_imported_by_its_reader_alone() -> None:
    readers = {"nibabel": "nifti.py", "openslide": "slides.py"}
    found = {
        (name, source.name) for source in ROOT.glob("psmooth/**/*.py") for name in imported(source) & readers.keys()
    }
    assert found == set(readers.items())


def test_run_time_requirements_are_lower_bounds() -> None:
    operators = {name: [part.operator for part in each.specifier] for name, each in RUN_TIME.items()}
    assert operators == {name: [">="] for name in RUN_TIME}


def test_constraints_pin_exactly_what_the_project_names() -> None:
    pins = listed("constraints.txt")
    assert pins.keys() == EVERYTHING.keys()
    for name, pin in pins.items():
        (part,) = pin.specifier
        assert part.operator == "=="
        assert EVERYTHING[name].specifier.contains(part.version), f"{pin} is outside {EVERYTHING[name]}"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from this checkout, in this process and without a network."""
    folder = tmp_path_factory.mktemp("wheel")
    (path,) = WheelBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"])
    return Path(path)


@pytest.fixture(scope="module")
def inside(wheel: Path) -> set[str]:
    """The names of the files in the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def unpacked(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the wheel installs."""
    folder = tmp_path_factory.mktemp("unpacked")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def test_wheel_carries_all_that_ships(inside: set[str]) -> None:
    beside = [path for folder in ("assets", "prompts") for path in (ROOT / folder).rglob("*")]
    shipped = [path for path in beside if path.is_file() and "__pycache__" not in path.parts]
    assert {f"psmooth/_shipped/{path.relative_to(ROOT).as_posix()}" for path in shipped} <= inside
    assert {"psmooth/__main__.py", "psmooth/_shipped/assets/certificate.schema.json"} <= inside


def test_wheel_carries_nothing_else(inside: set[str]) -> None:
    information = f"psmooth-{PROJECT['version']}.dist-info/"
    assert f"{information}licenses/LICENSE" in inside
    assert all(name.startswith(("psmooth/", information)) for name in inside)
    assert not [name for name in inside if "__pycache__" in name]


def test_wheel_states_the_requirements(unpacked: Path) -> None:
    (distribution,) = importlib.metadata.distributions(path=[str(unpacked)])
    stated = [line for line in distribution.requires or [] if "extra ==" not in line]
    assert {name: str(each.specifier) for name, each in requirements(stated).items()} == {
        name: str(each.specifier) for name, each in RUN_TIME.items()
    }
    (script,) = distribution.entry_points
    assert (script.name, script.value) == ("psmooth", "psmooth.__main__:main")


def test_wheel_runs_away_from_the_checkout(unpacked: Path) -> None:
    probe = (
        "import psmooth.__main__, psmooth.files as r;"
        "print(r.__file__); print(r.resource('assets', 'certificate.schema.json'))"
    )
    environment = os.environ | {"PYTHONPATH": str(unpacked), "OMP_NUM_THREADS": "1"}
    run = subprocess.run([sys.executable, "-c", probe], cwd=unpacked, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert [Path(line).is_relative_to(unpacked) for line in run.stdout.split()] == [True, True]


def make_targets() -> set[str]:
    """The names one can give to make."""
    return set(re.findall(r"^([a-z]+):", MAKEFILE, re.MULTILINE))


def commands() -> dict[str, set[str]]:
    """By command of the command line, the options that it and its own commands take."""
    group = typer.main.get_group(cli)
    return {name: options(command) for name, command in group.commands.items()}


def options(command: Any) -> set[str]:
    own = {option for parameter in command.params for option in [*parameter.opts, *parameter.secondary_opts]}
    return own.union(*map(options, getattr(command, "commands", {}).values()))


def test_documents_name_make_targets_that_exist() -> None:
    contributing = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = re.findall(r"^    make ([a-z]+)", README + contributing, re.MULTILINE)
    assert {"demo", "test", "lint"} <= set(named) <= make_targets()


def test_makefile_runs_python_files_that_exist() -> None:
    modules = re.findall(r"python -m ((?:psmooth|tests)[\w.]*)", MAKEFILE)
    places = [ROOT / name.replace(".", "/") for name in modules]
    assert modules
    assert all(place.with_suffix(".py").exists() or (place / "__main__.py").exists() for place in places)


def blocks(language: str, text: str) -> list[str]:
    """The fenced blocks of a document that are in this language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def shown(text: str) -> set[str]:
    """The commands that a document shows; every option of theirs exists."""
    lines = [shlex.split(line) for block in blocks("sh", text) for line in block.splitlines()]
    indented = [shlex.split(line) for line in re.findall(r"^    (psmooth .*)", text, re.MULTILINE)]
    surface = commands()
    for program, name, *words in [*lines, *indented]:
        assert program == "psmooth"
        assert [word for word in words if word[0] == "-" and word not in surface[name]] == [], name
    return {name for _, name, *_ in lines}


def test_documents_show_commands_that_exist() -> None:
    assert shown(COMMANDS) == set(commands())
    assert len(shown(README)) == 6
    for file in (ROOT / "docs").glob("*.md"):
        assert shown(file.read_text(encoding="utf-8")) <= set(commands())


def test_options_in_the_text_exist() -> None:
    prose = re.sub(r"^```.*?^```", "", COMMANDS, flags=re.MULTILINE | re.DOTALL)
    named = set(re.findall(r"--(?:class-names|template)\b", prose))
    assert named
    assert named <= commands()["certify"]


@pytest.mark.parametrize("text", [README, COMMANDS], ids=["README", "commands"])
def test_the_python_that_is_shown_uses_public_names(text: str) -> None:
    code = "".join(blocks("python", text))
    ast.parse(code)
    used = set(re.findall(r"psmooth\.(\w+)\(", code))
    assert used
    assert used <= set(psmooth.__all__)


def test_the_command_line_states_the_version() -> None:
    run = subprocess.run([sys.executable, "-m", "psmooth", "--version"], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert PROJECT["version"] in run.stdout


# --- the container: it cannot be built here, so its lines are held against what they need


def dockerfile() -> dict[str, list[str]]:
    """What follows each instruction of the Dockerfile, in order, with continued lines joined."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            instruction, _, rest = line.partition(" ")
            found.setdefault(instruction, []).append(rest)
    return found


LINES = dockerfile()
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")


def test_the_container_has_a_python_that_the_project_runs_on() -> None:
    name, _, image = LINES["ARG"][0].partition("=")
    assert LINES["FROM"] == [f"${{{name}}}"], "a digest can take its place"
    version = re.fullmatch(r"python:(3[.]\d+)-slim", image)
    assert version
    assert f"{version[1]}.0" in SpecifierSet(PROJECT["requires-python"])
    assert f"--build-arg {name}={image}@sha256:" in DOCKERFILE, "the way to pin it is told"


def test_the_container_installs_the_locks_by_hash_and_torch_at_its_tested_version() -> None:
    by_hash, torch = [shlex.split(line) for line in LINES["RUN"] if "pip install" in line]
    assert by_hash[-3:] == ["--require-hashes", "-r", "requirements.lock"]
    assert "--no-deps" in by_hash, "a dependency that the lock lacks is an error and not a download"
    name, _, where = LINES["ARG"][1].partition("=")
    assert torch[-1] == f"${{{name}}}"
    words = shlex.split(shlex.split(where)[0])
    assert words[words.index("-c") + 1] == "constraints.txt"
    assert words[-2:] == ["torch", "torchvision"]
    assert f'--build-arg {name}="--require-hashes -r torch.lock"' in DOCKERFILE, "the way to a card is told"
    assert "constraints.txt requirements.lock torch.lock ./" in " ".join(LINES["COPY"])


# --- the locks: everything, at the tested versions, by hash


def locked(name: str) -> dict[str, list[Requirement]]:
    """The pins of a lock by canonical name; one that differs by Python or platform has several. Each has its hashes."""
    found: dict[str, list[Requirement]] = {}
    for entry in re.split(r"\n(?=\S)", (ROOT / name).read_text(encoding="utf-8").strip()):
        pin, *hashes = [line.strip(" \\") for line in entry.splitlines()]
        assert hashes, entry
        assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", one) for one in hashes)
        requirement = Requirement(pin)
        assert [part.operator for part in requirement.specifier] == ["=="]
        found.setdefault(canonicalize_name(requirement.name), []).append(requirement)
    return found


LOCKED = locked("requirements.lock") | locked("torch.lock")


def test_the_locks_hold_what_is_asked_for_at_the_versions_that_were_tested() -> None:
    pins = listed("constraints.txt")
    assert RUN_TIME.keys() <= LOCKED.keys()
    for name in pins.keys() & LOCKED.keys():
        assert {str(one.specifier) for one in LOCKED[name]} == {str(pins[name].specifier)}, name


def test_the_locks_hold_all_that_their_packages_need() -> None:
    """As the packages say that are installed here: what one of them needs on this machine is locked too."""
    lacking = {}
    for name in LOCKED:
        with suppress(importlib.metadata.PackageNotFoundError):
            stated = [Requirement(line) for line in importlib.metadata.requires(name) or []]
            plain = [one.name for one in stated if one.marker is None or one.marker.evaluate({"extra": ""})]
            lacking[name] = {canonicalize_name(one) for one in plain} - LOCKED.keys()
    assert len(lacking) > len(RUN_TIME)
    assert {name: needs for name, needs in lacking.items() if needs} == {}


def test_torch_and_what_it_brings_for_cards_stand_in_a_lock_of_their_own() -> None:
    apart = locked("torch.lock")
    assert {"torch", "torchvision"} <= apart.keys()
    assert not apart.keys() & locked("requirements.lock").keys()
    assert [name for name in LOCKED if name.startswith(("nvidia-", "cuda-")) and name not in apart] == []


@pytest.fixture(scope="module")
def contained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the container has in its working directory, and nothing else."""
    folder = tmp_path_factory.mktemp("container")
    for line in LINES["COPY"]:
        *sources, target = line.split()
        for source in sources:
            if (ROOT / source).is_dir():
                assert target == f"./{source}", "a folder's content is copied, so its target bears its name"
                shutil.copytree(ROOT / source, folder / source, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / source, folder / target)
    return folder


def test_what_the_container_copies_is_all_that_the_app_needs(contained: Path) -> None:
    (command,) = (json.loads(line) for line in LINES["CMD"])
    assert command == ["python", "app.py"]
    probe = (
        "import runpy, psmooth, psmooth.models as m;"
        "runpy.run_path('app.py', run_name='app');"
        "from psmooth.interface.page import build; page = build();"
        "print(psmooth.__file__); print(m.load_model('pocket', 'cpu').input_size, bool(page.fns))"
    )
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    run = subprocess.run([sys.executable, "-c", probe], cwd=contained, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    place, answer = run.stdout.split("\n")[:2]
    assert Path(place).is_relative_to(contained)
    assert answer == "128 True"


def test_the_container_serves_keeps_and_checks_the_same_places_as_nobody_special() -> None:
    settings = dict(pair.split("=", 1) for pair in LINES["ENV"][0].split())
    (port,), (volume,), (user,) = LINES["EXPOSE"], LINES["VOLUME"], LINES["USER"]
    assert settings["GRADIO_SERVER_PORT"] == port
    assert settings["GRADIO_SERVER_NAME"] == "0.0.0.0"
    assert settings["PSMOOTH_TYPED_MODELS"] == "0", "a server is for strangers until its operator says otherwise"
    assert settings["HF_HOME"].startswith(f"{volume}/")
    assert any(f"useradd --create-home {user}" in line and f"-o {user} {volume}" in line for line in LINES["RUN"])
    assert f"http://127.0.0.1:{port}/" in LINES["HEALTHCHECK"][0]


def test_the_health_check_of_the_container_tells_a_page_from_none(tmp_path: Path) -> None:
    command = json.loads(LINES["HEALTHCHECK"][0].partition("CMD ")[2])
    assert command[:2] == ["python", "-c"]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    check = [sys.executable, "-c", command[2].replace(LINES["EXPOSE"][0], port)]
    assert subprocess.run(check, capture_output=True, timeout=30).returncode != 0
    page = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", int(port)), page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert subprocess.run(check, capture_output=True, timeout=30).returncode == 0
        server.shutdown()
