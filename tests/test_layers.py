"""Imports run one way: from package to package and from room to room, never up and never round."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("pipeline", "model", "search")


def lint(root):
    """What import-linter says of the contracts in pyproject.toml, with its exit code."""
    command = [Path(sys.executable).with_name("lint-imports"), "--no-logo", "--no-cache"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def copy(tmp_path):
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_every_import_runs_down():
    code, said = lint(ROOT)
    assert code == 0 and " 0 broken" in said, said


@pytest.mark.parametrize(
    ("path", "line", "broken"),
    [
        ("pipeline/bars.py", "import model.metrics", "search knows model, model knows pipeline"),
        ("model/windows.py", "from search.space import axes", "search knows model, model knows pipeline"),
        ("pipeline/bars.py", "from pipeline.splits import target", "Rooms of pipeline"),
        ("model/windows.py", "from model.training import trainer", "Rooms of model"),
        ("search/tracking/stores.py", "from search.study import study", "Rooms of search"),
        ("search/legacy/recover/grids.py", "from search.legacy.parse import csv", "Rooms of search.legacy"),
        ("search/registry/versions/versions.py", "from search.registry import promote", "Rooms of search.registry"),
        ("search/report/layout/page.py", "from search.report.sections import methods", "Rooms of search.report"),
        ("search/report/layout/palette.py", "from search.report.layout import blocks", "No circle"),
    ],
)
def test_one_import_up_or_round_breaks_its_contract(copy, path, line, broken):
    with (copy / path).open("a") as file:
        file.write(f"\n{line}\n")
    code, said = lint(copy)
    assert code == 1 and f"{broken} BROKEN" in said, said


@pytest.mark.parametrize("room", ["pipeline", "model", "search", "search/legacy", "search/registry", "search/report"])
def test_a_room_without_a_place_in_the_order_is_refused(copy, room):
    (copy / room / "attic.py").write_text('"""Nobody said where this stands."""\n')
    code, said = lint(copy)
    assert code == 1 and f"Rooms of {room.replace('/', '.')} BROKEN" in said, said
