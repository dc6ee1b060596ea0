"""The project's own shape: lists in step, entry points that exist."""

import os
import re
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from search.cli import cli

ROOT = Path(__file__).parents[1]
PACKAGES = ("pipeline", "model", "search")


@pytest.fixture(scope="module")
def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def pins():
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line]
    return {canonicalize_name(name): pin for name, pin in (line.split("==") for line in lines)}


@pytest.fixture(scope="module")
def conda():
    dependencies = yaml.safe_load((ROOT / "conda.yaml").read_text())["dependencies"]
    listed = next(entry["pip"] for entry in dependencies if isinstance(entry, dict))
    return {canonicalize_name(name): pin for name, pin in (line.split("==") for line in listed)}


def test_the_three_lists_of_dependencies_are_in_step(project, pins, conda):
    requirements = {canonicalize_name(r.name): r for r in map(Requirement, project["dependencies"])}
    assert set(conda) == set(requirements)
    for name, requirement in requirements.items():
        assert conda[name] == pins[name], name
        assert requirement.specifier.contains(pins[name]), name
    extras = (each for extra in project["optional-dependencies"].values() for each in extra)
    for requirement in map(Requirement, extras):
        assert requirement.specifier.contains(pins[canonicalize_name(requirement.name)]), requirement.name
    assert pins["torch"] == "2.13.0"


def test_what_is_installed_is_what_was_tested(project, pins):
    for requirement in map(Requirement, project["dependencies"]):
        assert version(requirement.name).split("+")[0] == pins[canonicalize_name(requirement.name)], requirement.name


@pytest.mark.lesson("L32")
@pytest.mark.parametrize("name", ["hpo", "campaign"])
def test_mlproject_has_every_option_of_a_command_with_its_default(name):
    defaults = {option.name: option.default for option in cli.commands[name].params if not option.is_flag}
    entry = yaml.safe_load((ROOT / "MLproject").read_text())["entry_points"][name]
    assert f"python -m search {name}" in entry["command"]
    assert {name: field["default"] for name, field in entry["parameters"].items()} == defaults
    assert all(field["type"] == "string" for field in entry["parameters"].values())
    passed = re.findall(r"--([a-z-]+) \{([a-z_]+)\}", entry["command"])
    assert {name for _, name in passed} == set(defaults)
    assert all(flag.replace("-", "_") == name for flag, name in passed)


def test_the_model_knows_neither_optuna_nor_mlflow():
    for path in (ROOT / "model").rglob("*.py"):
        assert not re.search(r"^\s*(import|from) (optuna|mlflow)", path.read_text(), re.MULTILINE), path


def test_a_file_holds_one_idea():
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            assert len(path.read_text().splitlines()) <= 400, path
            assert path.stem not in ("utils", "helpers", "manager", "common"), path


def test_every_source_file_has_a_docstring_and_the_readme_names_every_command():
    readme = (ROOT / "README.md").read_text()
    for name in cli.commands:
        assert f"patchscale {name}" in readme, name
    for target in ("hpo", "check", "docs", "test", "ui", "lint", "verify"):
        assert f"make {target}" in readme, target


def test_what_the_readme_links_to_is_there_and_its_picture_is_small():
    links = re.findall(r"\]\(([^)#]+)", (ROOT / "README.md").read_text())
    assert len(links) > 10
    for link in links:
        assert (ROOT / link).is_file(), link
    (picture,) = (link for link in links if link.endswith(".png"))
    assert (ROOT / picture).stat().st_size < 200_000


def test_tests_mirror_the_source():
    """One test file a source file, and none without one but for the package's own and what crosses many files."""
    tests, missing, wanted = ROOT / "tests", [], set()
    for path in (path for package in PACKAGES for path in (ROOT / package).rglob("*.py")):
        face = path.stem.startswith("__")
        mirror = tests / path.parent.relative_to(ROOT) / f"test_{path.parent.name if face else path.stem}.py"
        wanted.add(mirror)
        if not face and has_code(path) and not mirror.exists():
            missing.append(str(path.relative_to(ROOT)))
    elsewhere = (tests, *(tests / name for name in ("journeys", "golden", "benchmarks", "servers", "docs")))
    found = {path for path in tests.rglob("test_*.py") if path.parent not in elsewhere}
    assert missing == [], "source files without a test file"
    assert sorted(str(path.relative_to(ROOT)) for path in found - wanted) == [], "test files without a source file"


def has_code(path):
    """Whether a file holds more than names."""
    return re.search(r"^(def|class) ", path.read_text(), re.MULTILINE) is not None


def test_every_lesson_has_a_test():
    marked = re.findall(r'lesson\("L(\d+)"\)', "".join(path.read_text() for path in (ROOT / "tests").rglob("*.py")))
    kept = {*range(1, 46), 49, 50}
    assert kept <= set(map(int, marked)) <= set(range(1, 51))


def test_a_clone_has_the_directory_to_which_its_link_points():
    """Else MLflow, which opens the link before any code of ours runs, finds no directory for its database."""
    assert (ROOT / "mlruns" / ".gitkeep").exists()
    assert os.readlink(ROOT / "mlflow.db") == "mlruns/mlflow.db"
