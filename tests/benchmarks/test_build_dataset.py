from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.lesson("L32")
def test_it_runs_and_says_versions_and_times():
    command = [sys.executable, "-m", "benchmarks.build_dataset", "--days", "600", "--tickers", "2"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode in (0, 1), done.stderr
    assert "pandas " in done.stdout and "cores" in done.stdout
    assert "r55: 600 days × 55 features: median" in done.stdout
    assert "2 tickers in r55:" in done.stdout
