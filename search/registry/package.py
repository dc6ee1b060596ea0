"""A package as an MLflow model: logged as code with its own copy of the feature and model code, and proved."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import mlflow
import numpy as np
import pandas as pd
from mlflow.entities import LoggedModelOutput, LoggedModelStatus
from mlflow.environment_variables import MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema, TensorSpec

import model
import pipeline
from model.packaged import LAST, PackagedModel
from pipeline.exceptions import RecordError
from pipeline.raw_bars import ADJUSTED_CLOSE, DATE

if TYPE_CHECKING:
    from mlflow import MlflowClient

NAME = "packaged"
CODE = Path(__file__).with_name("pyfunc_model.py")
PACKAGES = tuple(Path(str(package.__file__)).parent for package in (pipeline, model))
REQUIREMENTS = (
    "mlflow",
    "exchange_calendars",
    "numpy",
    "pandas",
    "pandera",
    "pyarrow",
    "safetensors",
    "scikit-learn",
    "TA-Lib",
    "threadpoolctl",
    "torch",
)
"""What the packaged code imports, and nothing else; a test compares."""

TOLERANCE = 1e-6
TIMEOUT = 300
PROBE = """
import json, pathlib, sys
import mlflow, pandas as pd
uri, bars, first, last, answer = sys.argv[1:]
loaded = mlflow.pyfunc.load_model(uri)
frame = pd.read_parquet(bars)
frame = frame[frame["date"] <= last]
start = int((frame["date"] < first).sum()) + 1 - loaded.metadata.metadata["required_days"]
forecasts = loaded.predict(frame.iloc[max(start, 0):], params={"days": "all"})
import model, pipeline
roots = [pathlib.Path(package.__file__).parents[1] for package in (model, pipeline)]
strange = [str(root) for root in roots if not (root.parent / "MLmodel").exists()]
with open(answer, "w") as file:
    json.dump({"forecasts": forecasts.to_dict("list"), "strange": strange, "modules": sorted(sys.modules)}, file)
"""
"""Forecasts of the days that are asked for, from no more bars than they need."""


def requirements() -> list[str]:
    """List what a server needs, pinned to what is installed here (a CPU or CUDA build of torch serves alike)."""
    return [f"{name}=={version(name).split('+')[0]}" for name in REQUIREMENTS]


def signature(packaged: PackagedModel) -> ModelSignature:
    """Columns in, columns out, and the parameter ``days``."""
    bars: list[ColSpec | TensorSpec] = [
        *(ColSpec(DataType.datetime if name == DATE else DataType.double, name) for name in packaged.columns),
        ColSpec(DataType.double, ADJUSTED_CLOSE, required=False),
    ]
    forecast: list[ColSpec | TensorSpec] = [
        ColSpec(DataType.string, "date"),
        ColSpec(DataType.double, "probability"),
        ColSpec(DataType.long, "horizon"),
        ColSpec(DataType.double, "threshold"),
    ]
    days = ParamSpec("days", DataType.string, LAST)
    return ModelSignature(inputs=Schema(bars), outputs=Schema(forecast), params=ParamSchema([days]))


def log_package(client: MlflowClient, run_id: str, directory: Path, *, tags: Mapping[str, str] | None = None) -> str:
    """Log a package as a model of a run, whose state stays as it is.

    Parameters
    ----------
    client : MlflowClient
        Of the tracking store.
    run_id : str
        Run that made the package.
    directory : Path
        From :func:`model.packaged.write_package`.
    tags : mapping, optional
        Of the logged model.

    Returns
    -------
    str
        URI of the logged model, ``models:/m-…``.

    Raises
    ------
    StoreError
        If the package can't be read.
    """
    packaged = PackagedModel.load(directory)
    facts, spec = packaged.facts, packaged.spec
    said = {
        "ticker": facts.ticker,
        "dataset": facts.dataset,
        "study": facts.study,
        "trained_through": facts.trained_through,
    }
    run = client.get_run(run_id)
    logged = client.create_logged_model(
        run.info.experiment_id, name=NAME, source_run_id=run_id, tags={**said, **(tags or {})}, params=spec.params()
    )
    form = Model(
        artifact_path=logged.artifact_location,
        run_id=run_id,
        model_uuid=logged.model_id,
        model_id=logged.model_id,
        metadata={**said, "members": len(packaged.members), "required_days": packaged.required_days},
    )
    try:
        with TemporaryDirectory() as made, _quiet():
            path = Path(made) / "model"
            save_form(path, directory, packaged, form)
            client.log_model_artifacts(logged.model_id, str(path))
    except BaseException:
        client.finalize_logged_model(logged.model_id, LoggedModelStatus.FAILED)
        raise
    client.finalize_logged_model(logged.model_id, LoggedModelStatus.READY)
    client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step=0)])
    return f"models:/{logged.model_id}"


def save_form(path: Path, directory: Path, packaged: PackagedModel, form: Model | None = None) -> None:
    """Write a package in MLflow's form into a new directory: code, signature, requirements, no pickle."""
    with _quiet():
        mlflow.pyfunc.save_model(
            path=str(path),
            python_model=str(CODE),
            artifacts={"package": str(directory)},
            code_paths=[str(package) for package in PACKAGES],
            signature=signature(packaged),
            pip_requirements=requirements(),
            mlflow_model=form,
        )
    for cache in path.rglob("__pycache__"):
        for file in cache.iterdir():
            file.unlink()
        cache.rmdir()


def check_in_fresh_process(model_uri: str, frame: pd.DataFrame, expected: pd.DataFrame, tracking_uri: str) -> float:
    """Load a logged model in a process of its own, far from this code, and compare what it forecasts.

    Parameters
    ----------
    model_uri : str
        As from :func:`log_package`, or of a registered version.
    frame : DataFrame
        Raw bars, see :func:`pipeline.raw_bars.raw_bars`.
    expected : DataFrame
        ``date`` and ``p`` from the same weights; every day has to be forecast.
    tracking_uri : str
        Of the tracking store.

    Returns
    -------
    float
        Largest difference of two probabilities.

    Raises
    ------
    RecordError
        If the process fails, runs other code than the model carries, leaves out a day, or the difference
        exceeds 1e-6.
    """
    days = pd.DatetimeIndex(expected["date"])
    if not len(days):
        raise RecordError("a packaged model must be proved on at least one day, got none; name days that it forecasts")
    answer = _probe(model_uri, frame, (days.min(), days.max()), tracking_uri)
    if answer["strange"]:
        raise RecordError(
            f"a packaged model must run the code that it carries, it ran that of {answer['strange'][0]}; log it again"
        )
    forecasts = answer["forecasts"]
    found = pd.Series(forecasts["probability"], index=pd.DatetimeIndex(forecasts["date"]))
    missing = days.difference(found.index)
    if len(missing):
        raise RecordError(
            f"a packaged model must forecast all {len(days)} days of its proof, {len(missing)} are missing, first "
            f"{missing[0].date()}; send bars that start earlier"
        )
    difference = float(np.abs(found.loc[days].to_numpy() - expected["p"].to_numpy(dtype=np.float64)).max())
    if not difference <= TOLERANCE:
        raise RecordError(
            f"a packaged model must forecast what its weights do within {TOLERANCE:g}, differs by {difference:.3g}; "
            "it was not packaged from these weights or features"
        )
    return difference


def _probe(
    model_uri: str, frame: pd.DataFrame, span: tuple[pd.Timestamp, pd.Timestamp], tracking_uri: str
) -> dict[str, Any]:
    """Forecasts, origin of the code and loaded modules of a fresh process."""
    with TemporaryDirectory() as elsewhere:
        bars, answer = Path(elsewhere) / "bars.parquet", Path(elsewhere) / "answer.json"
        frame.to_parquet(bars, index=False)
        done = subprocess.run(
            [sys.executable, "-c", PROBE, model_uri, str(bars), *map(str, span), str(answer)],
            cwd=elsewhere,
            env=clean_environment(tracking_uri),
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
        )
        if done.returncode:
            said = done.stderr.strip().splitlines() or ["no output"]
            raise RecordError(
                f"packaged model {model_uri} must load and forecast in a fresh process, it says: {said[-1]}"
            )
        return json.loads(answer.read_text())


def clean_environment(tracking_uri: str) -> dict[str, str]:
    """Environment without this process's Python path, run or experiment; the model's directory is not written to."""
    left_out = ("PYTHON", "MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    return {
        **kept,
        "MLFLOW_TRACKING_URI": tracking_uri,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


@contextmanager
def _quiet() -> Iterator[None]:
    """Leave out MLflow's remarks on versions, and its progress bar for files that are copied on this machine."""
    bar = MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR
    before = bar.get_raw()
    bar.set("false")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        bar.unset()
        if before is not None:
            bar.set(before)
