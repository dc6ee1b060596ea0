from __future__ import annotations

import re
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest

from benchmarks.surface import DROPOUTS, LEARNING_RATES, PATH, Surface, surface_grid
from search.study.sampler import DEFAULT_SAMPLER, SAMPLERS

ROOT = Path(__file__).parents[2]


def test_the_table_holds_every_cell_of_the_grid_and_says_how_it_was_made():
    surface, grid = Surface.read(), surface_grid()
    assert len(grid.architectures) >= 60
    cells = {surface.cell(*each) for each in product(grid.architectures, LEARNING_RATES, DROPOUTS)}
    assert cells == set(surface.losses)
    head = PATH.read_text()[:1000]
    for word in ("python -m benchmarks.make_surface", "torch 2.13", "dataset", "epochs"):
        assert word in head


def test_a_point_between_takes_the_nearest_rate_in_logarithms_and_the_nearest_dropout():
    cell = Surface.read().cell(surface_grid().architectures[0], 1.6e-4, 0.26)
    assert cell[-2:] == (LEARNING_RATES[1], DROPOUTS[1])


@pytest.mark.slow
@pytest.mark.lesson("L32")
@pytest.mark.parametrize("workers", ["1", "2"])
def test_it_compares_every_sampler_and_says_versions(workers):
    command = [sys.executable, "-m", "benchmarks.samplers", "--seeds", "2", "--trials", "11", "--workers", workers]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    assert "optuna 5" in done.stdout and "cores" in done.stdout
    assert re.findall(r"^\| (\w+) \| \d", done.stdout, re.MULTILINE) == list(SAMPLERS)
    assert DEFAULT_SAMPLER in SAMPLERS


@pytest.mark.lesson("L32")
@pytest.mark.slow
def test_the_table_can_be_made_and_gone_on_with(tmp_path):
    out = tmp_path / "surface.csv"
    command = [sys.executable, "-m", "benchmarks.make_surface", "--epochs", "1", "--limit", "1", "--out", str(out)]
    for trainings in (1, 2):
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
        assert done.returncode == 0, done.stderr
        rows = [line for line in out.read_text().splitlines() if not line.startswith("#")]
        assert len(rows) == 1 + trainings and len(set(rows)) == len(rows)
