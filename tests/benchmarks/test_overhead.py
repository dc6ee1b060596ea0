from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.lesson("L32")
def test_it_runs_and_says_versions_and_costs(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.overhead", "--trials", "4", "--block", "2"]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert "an epoch:" in done.stdout and "last 2 of 4 against the first 2" in done.stdout
    assert "mlflow " in done.stdout and "cores" in done.stdout
