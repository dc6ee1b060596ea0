"""A package as an MLflow model: logged as code with its own copy of the feature and model code."""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import mlflow
from mlflow.entities import LoggedModelOutput, LoggedModelStatus
from mlflow.environment_variables import MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema, TensorSpec

import model
import pipeline
from model.serving.packaged import LAST, PackagedModel
from pipeline.datasets.raw_bars import ADJUSTED_CLOSE
from search.tracking.environment import leave_out_foreign

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel

NAME = "packaged"
CODE = Path(__file__).with_name("pyfunc_model.py")
PACKAGES = tuple(Path(str(package.__file__)).parent for package in (pipeline, model))
PACKED_CODE = "code"
REQUIREMENTS = (
    "mlflow",
    "exchange_calendars",
    "numpy",
    "pandas",
    "pandera",
    "pyarrow",
    "safetensors",
    "TA-Lib",
    "torch",
)
"""What the packaged code imports, and nothing else; a test compares."""


def requirements() -> list[str]:
    """List what a server needs, pinned to what is installed here (a CPU or CUDA build of torch serves alike)."""
    return [f"{name}=={version(name).split('+')[0]}" for name in REQUIREMENTS]


def signature() -> ModelSignature:
    """Columns out, and the parameters ``days``, ``horizon`` and ``threshold``, of which the last two may be left out.

    A horizon is a double: MLflow takes a whole number for it too, and would refuse the reverse with a dump of the data.
    The columns that come in are not in it: MLflow would leave out those that it does not name, one of tickers among
    them, convert others by rules of its own, and answer with a dump of all data. The package reads them, and says
    in words what is wrong; their names are in the model's metadata.
    """
    forecast: list[ColSpec | TensorSpec] = [
        ColSpec(DataType.string, "date"),
        ColSpec(DataType.double, "probability"),
        ColSpec(DataType.long, "horizon"),
        ColSpec(DataType.double, "threshold"),
    ]
    params = [
        ParamSpec("days", DataType.string, LAST),
        ParamSpec("horizon", DataType.double, None),
        ParamSpec("threshold", DataType.double, None),
    ]
    return ModelSignature(outputs=Schema(forecast), params=ParamSchema(params))


def log_package(client: MlflowClient, run_id: str, directory: Path, *, tags: Mapping[str, str] | None = None) -> str:
    """Log a package as a model of a run, whose state stays as it is.

    Parameters
    ----------
    client : MlflowClient
        Of the tracking store.
    run_id : str
        Run that made the package.
    directory : Path
        From :func:`model.serving.packaged.write_package`.
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
    run, params = client.get_run(run_id), packaged.spec.params()
    said = {**facts_in_short(packaged), **(tags or {})}
    logged = client.create_logged_model(
        run.info.experiment_id, name=NAME, source_run_id=run_id, tags=said, params=params
    )
    form = Model()
    stamp_form(form, logged, packaged)
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


def facts_in_short(packaged: PackagedModel) -> dict[str, str]:
    """Say what a package is of, as tags of its logged model."""
    return {name: getattr(packaged.facts, name) for name in ("ticker", "dataset", "study", "trained_through")}


def stamp_form(form: Model, logged: LoggedModel, packaged: PackagedModel) -> None:
    """Say in a package's form which logged model it is of, what has to be sent to it, and what it holds."""
    form.artifact_path, form.run_id = logged.artifact_location, logged.source_run_id
    form.model_id = form.model_uuid = logged.model_id
    form.metadata = {
        **facts_in_short(packaged),
        "columns": [*packaged.columns, f"{ADJUSTED_CLOSE} (optional)"],
        "members": len(packaged.specs),
        "required_days": packaged.required_days,
    }


def save_form(path: Path, directory: Path, packaged: PackagedModel, form: Model | None = None) -> None:
    """Write a package in MLflow's form into a new directory: code, signature, requirements, no pickle."""
    with _quiet():
        mlflow.pyfunc.save_model(
            path=str(path),
            python_model=str(CODE),
            artifacts={"package": str(directory)},
            code_paths=[str(package) for package in PACKAGES],
            signature=signature(),
            pip_requirements=requirements(),
            mlflow_model=form,
        )
    for cache in list(path.rglob("__pycache__")):
        shutil.rmtree(cache)


def pack_code(path: Path, form: Model) -> None:
    """Put the code of a package in MLflow's form into one file, which Python imports from as it lies: one upload."""
    code = path / mlflow.pyfunc.CODE
    packed = shutil.make_archive(str(path / PACKED_CODE), "zip", code)
    shutil.rmtree(code)
    form.flavors[mlflow.pyfunc.FLAVOR_NAME][mlflow.pyfunc.CODE] = Path(packed).name


def clean_environment(tracking_uri: str) -> dict[str, str]:
    """Environment without this process's Python path, run or experiment; the model's directory is not written to."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "MLFLOW_RUN_ID"))}
    leave_out_foreign(kept)
    return {
        **kept,
        "MLFLOW_TRACKING_URI": tracking_uri,
        "MLFLOW_REGISTRY_URI": tracking_uri,
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
