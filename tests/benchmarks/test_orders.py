from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.lesson("L32")
def test_it_runs_on_both_engines_and_says_versions(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.orders", "--orders", "2"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "local: " in done.stdout and "ray: " in done.stdout and "ms with 20 epochs (median of 2)" in done.stdout
    assert "torch " in done.stdout and "cores" in done.stdout
