"""Make a golden store: what one version of the code leaves behind, kept so that every later version reads it.

    python tests/golden/make_store.py tests/golden/store-2026-11-25.tar.xz

Everything is made by the command line of the checkout that the script stands in: a study that is complete, with its
baselines and a registered champion, and a study whose command was killed in the middle of a trial.  A store that was
made is never made again: another state of the code gets a file of its own beside it.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import exchange_calendars
import numpy as np
import pandas as pd

PROJECT = Path(__file__).resolve().parents[2]
SOURCE = "csv:bars?adjusted=no"
COMPLETE, INTERRUPTED = "complete", "interrupted"
COMMON = ["--budget", "5K", "--ticker", "ACME", "--source", SOURCE, "--workers", "1", "--pruner", "none"]
SPLIT = ["--split", "2016-06-30/2017-06-30/2018-06-30"]
LEFT_OUT = ("plots", "locks", "logs")
"""Folders that are not kept: pictures, and what is made again by every command."""


def make_bars(directory: Path) -> None:
    """2,180 sessions of a stock that there is not, whose volatility comes in clusters."""
    random = np.random.default_rng(20261125)
    days = exchange_calendars.get_calendar("XNYS", start="2010-01-04", end="2018-12-31").sessions[:2180]
    spread = np.exp(0.35 * np.sin(np.arange(len(days)) / 40)) * 0.009
    close = 100 * np.exp(np.cumsum(random.normal(3e-4, 1, len(days)) * spread))
    opened = close * (1 + random.normal(0, 0.2, len(days)) * spread)
    high = np.maximum(opened, close) * (1 + np.abs(random.normal(0, 0.6, len(days)) * spread))
    low = np.minimum(opened, close) * (1 - np.abs(random.normal(0, 0.6, len(days)) * spread))
    bars = pd.DataFrame({"Date": days.strftime("%Y-%m-%d"), "Open": opened, "High": high, "Low": low, "Close": close})
    bars = bars.round(2).assign(**{"Adj Close": close.round(2)}, Volume=random.integers(10**6, 10**7, len(days)))
    directory.mkdir()
    bars.to_csv(directory / "ACME.csv", index=False)


def patchscale(directory: Path, *arguments: str) -> None:
    """Run a command of this checkout to its end."""
    subprocess.run(_command(*arguments), cwd=directory, env=_environment(), check=True)


def interrupt(directory: Path, *arguments: str) -> None:
    """Kill a command, and what it started, after the first epoch of a trial."""
    states = directory / "mlruns" / "training"
    process = subprocess.Popen(_command(*arguments), cwd=directory, env=_environment(), start_new_session=True)
    while not any(states.glob("*.safetensors")):
        assert process.poll() is None, "the command ended before it could be killed"
        time.sleep(0.02)
    children = subprocess.run(["ps", "--ppid", str(process.pid), "-o", "pid="], capture_output=True, text=True)
    for pid in (process.pid, *map(int, children.stdout.split())):
        os.kill(pid, signal.SIGKILL)
    process.wait()


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "search", *arguments]


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(PROJECT), "MLFLOW_DISABLE_TELEMETRY": "true"}


def pack(directory: Path, target: Path) -> None:
    """Write the store as one archive, with the directory that its records name."""
    (directory / "root.json").write_text(json.dumps({"root": str(directory)}))
    with tarfile.open(target, "w:xz", preset=9) as archive:
        for path in sorted(directory.rglob("*")):
            if path.is_file() and not path.is_symlink() and not set(path.parts) & set(LEFT_OUT):
                archive.add(path, arcname=path.relative_to(directory), filter=_anonymous)


def _anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry


def main(target: Path) -> None:
    """Make the store in a temporary directory and pack it."""
    assert not target.exists(), f"{target} is there; a golden store is never made again"
    with TemporaryDirectory(prefix="golden-") as name:
        directory = Path(name)
        make_bars(directory / "bars")
        study = ["hpo", *COMMON, *SPLIT, "--study"]
        patchscale(directory, *study, COMPLETE, "--trials", "3", "--max-epochs", "2")
        patchscale(directory, "baselines", COMPLETE)
        patchscale(directory, "register", COMPLETE, "--seeds", "2", "--force", "a fixture needs a champion")
        long = [*study, INTERRUPTED, "--horizon", "3", "--offset", "logistic", "--max-epochs", "40", "--patience", "40"]
        patchscale(directory, *long, "--trials", "1")
        interrupt(directory, *long, "--trials", "2")
        shutil.rmtree(directory / "mlruns" / "logs")
        pack(directory, target)
    print(f"{target}: {target.stat().st_size:,} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute())
