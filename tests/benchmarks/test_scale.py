from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.scale import most_hands, simulate
from benchmarks.trial_costs import LARGE_STUDY, Cost

ROOT = Path(__file__).parents[2]
COST = Cost(ask=0.2, keep=0.05, hand=1.75, shared={"server": 0.5})


def test_one_hand_loses_what_a_trial_takes_beside_training() -> None:
    alone = simulate(1, COST, [8.0])
    assert alone.efficiency == pytest.approx(8 / 10, abs=0.02)
    assert alone.busy["brain"] == pytest.approx(0.25 / 10, abs=0.01)


def test_many_hands_are_as_fast_as_what_they_share_and_it_is_named() -> None:
    for cost, limit, seconds in (
        (COST, "server", 0.5),
        (replace(COST, places={"server": 4}), "brain", 0.25),
        (replace(COST, shared={}), "brain", 0.25),
    ):
        crowd = simulate(256, cost, [4.0, 12.0])
        assert crowd.limit == limit and crowd.busy[limit] == pytest.approx(1.0, abs=0.02)
        assert crowd.efficiency == pytest.approx(8 / seconds / 256, rel=0.1)


def test_the_number_of_hands_is_where_efficiency_falls_below_what_is_wanted() -> None:
    durations = [50.0, 70.0]
    most = most_hands(COST, durations)
    assert most is not None and 100 < most < 60 / 0.5 / 0.9 + 1
    assert simulate(most, COST, durations).efficiency >= 0.9
    assert simulate(2 * most, COST, durations).efficiency < 0.9
    assert most_hands(COST, [1.0]) is None, "not even one hand"


@pytest.mark.slow
@pytest.mark.lesson("L32")
def test_it_measures_real_stores_and_writes_the_page(tmp_path: Path) -> None:
    asked = ["--trials", "2", "--recorded", "2", "--budget", "5K", "--out", str(tmp_path / "docs"), "--sqlite-only"]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.scale", *asked],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "docs" / "scale.md").read_text(encoding="utf-8")
    assert f"| SQLite | ask, at {LARGE_STUDY} |" in page and "hands at 90%" in page and "simpy " in page
    assert "2 trials of 5K parameters" in page
    assert 5_000 < (tmp_path / "docs" / "scale.svg").stat().st_size < 100_000
