import os
import subprocess
import sys

import pytest


@pytest.mark.slow
def test_the_overhead_benchmark_runs(project_root, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.overhead", "--trials", "8", "--block", "4"],
        cwd=project_root,
        capture_output=True,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    assert "an epoch:" in done.stdout and "last 4 of 8 against the first 4" in done.stdout
