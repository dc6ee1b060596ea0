"""Everything that a refactor must leave equal to the last bit: digests, hashes and seeded losses, by the command line.

    python tests/golden/measure_bits.py > tests/golden/bits-2026-11-25.json

Only commands are run and only SQL is read, so that the same script measures every later version of the code.  Vector
units round differently: kernels are held to those that every processor has, and what can't be held is named beside it.
"""

import json
import os
import platform
import sqlite3
import subprocess
import sys
import tarfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parents[1]
BUDGETS = ("5K", "50K", "200K", "2M", "20M", "200M", "2B")
CUSTOM = ["20M", "--n-layers", "160,180", "--tolerance", "0.3", "--min-head-dim", "4", "--tier", "r33"]
STUDIES = {
    "median": ["--budget", "5K", "--trials", "9", "--max-epochs", "2"],
    "raw": ["--budget", "5K", "--trials", "1", "--max-epochs", "1", "--tier", "a25", "--horizon", "5", "--seed", "7"],
    "random": ["--budget", "50K", "--trials", "8", "--max-epochs", "1", "--sampler", "random", "--ff-ratio", "2,3"],
    "offset": [
        *["--budget", "5K", "--trials", "2", "--max-epochs", "2", "--tier", "r55", "--horizon", "3"],
        *["--source", "csv:bars?adjusted=no", "--ticker", "ACME", "--split", "2016-06-30/2017-06-30/2018-06-30"],
        *["--offset", "logistic", "--instance-norm", "revin", "--train-tickers", "BETA"],
    ],
}
FIRST = ["--init", "normal", "--first-epoch", "1", "--head", "binary"]
"""What the code of 2026-11-25 did and had no option for."""
HELD = {
    "ATEN_CPU_CAPABILITY": "default",
    "MKL_CBWR": "COMPATIBLE",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}
Run = Callable[..., "subprocess.CompletedProcess[str]"]


def measure(run: Run = subprocess.run) -> dict[str, object]:
    """Grids, and every study's parameters and losses, by trial; ``run`` runs a command as ``subprocess.run`` does."""
    with TemporaryDirectory() as name:
        directory = Path(name)
        _make_bars(directory)
        grids = {budget: _grid(run, directory, budget, "--head", "binary") for budget in BUDGETS}
        grids["custom"] = _grid(run, directory, *CUSTOM)
        for study, arguments in STUDIES.items():
            _said(run, directory, "hpo", *arguments, "--study", study, "--workers", "1", *FIRST)
        return {
            "machine": _machine(),
            "grids": grids,
            "studies": {study: _study(directory, study) for study in STUDIES},
        }


def _machine() -> dict[str, object]:
    """What can't be held: NumPy's vector units, and libraries."""
    features = np._core._multiarray_umath.__cpu_features__
    libraries = ("torch", "numpy", "TA-Lib", "scikit-learn", "optuna")
    from importlib.metadata import version

    return {
        "machine": platform.machine(),
        "vector_units": sorted(name for name, there in features.items() if there),
        "openblas": os.environ.get("OPENBLAS_CORETYPE", ""),
        **{name: version(name) for name in libraries},
    }


def _make_bars(directory: Path) -> None:
    """The golden store's bars, a second ticker of the same shape, and a VIX that there is not."""
    with tarfile.open(HERE / "store-2026-11-25.tar.xz") as archive:
        archive.extract("bars/ACME.csv", directory, filter="data")
    bars = directory / "bars"
    acme = pd.read_csv(bars / "ACME.csv")
    prices = ["Open", "High", "Low", "Close", "Adj Close"]
    acme.assign(**{name: (acme[name].iloc[::-1].to_numpy()) for name in prices}).to_csv(bars / "BETA.csv", index=False)
    level = (20 * np.exp(0.4 * np.sin(np.arange(len(acme)) / 40))).round(2)
    acme.assign(**dict.fromkeys(prices, level), Volume=0).to_csv(bars / "VIX.csv", index=False)


def _grid(run: Run, directory: Path, *arguments: str) -> dict[str, object]:
    held = json.loads(_said(run, directory, "grid", *arguments, "--json"))
    return {"hash": held["grid_hash"], "architectures": len(held["architectures"])}


def _said(run: Run, directory: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "search", *arguments]
    environment = {**os.environ, **HELD, "PYTHONPATH": str(PROJECT)}
    done = run(command, cwd=directory, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(arguments)}: {done.stdout}{done.stderr}"
    return done.stdout


def _study(directory: Path, study: str) -> dict[str, object]:
    """Hashes and losses of every trial's run, by trial number; the parameters that Optuna drew are in the hash."""
    with sqlite3.connect(directory / "mlruns" / "mlflow.db") as connection:
        query = """SELECT number.value, runs.run_uuid FROM runs
            JOIN tags AS number ON number.run_uuid = runs.run_uuid AND number.key = 'trial.number'
            JOIN tags AS study ON study.run_uuid = runs.run_uuid AND study.key = 'study.name' AND study.value = ?"""
        trials: dict[str, dict[str, object]] = {}
        for number, run_id in connection.execute(query, (study,)):
            params = dict(connection.execute("SELECT key, value FROM params WHERE run_uuid = ?", (run_id,)))
            metrics: dict[str, list[str]] = defaultdict(list)
            held = "SELECT key, value FROM metrics WHERE run_uuid = ? ORDER BY key, step"
            for key, value in connection.execute(held, (run_id,)):
                if key in ("train/loss", "val/loss", "best/loss", "best/roc_auc", "attention/entropy"):
                    metrics[key].append(float(value).hex())
            trials[number] = {
                "spec_hash": params["spec_hash"],
                "architecture": params["architecture"],
                "dataset": params["dataset"],
                **metrics,
            }
    connection.close()
    return dict(sorted(trials.items(), key=lambda pair: int(pair[0])))


if __name__ == "__main__":
    json.dump(measure(), sys.stdout, indent=1)
    print()
