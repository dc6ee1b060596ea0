"""The record: one MLflow run a trial, one parent run a study."""

from __future__ import annotations

import math
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cache
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from mlflow.entities import Metric, Param, RunTag

from model.evaluation import Evaluation, undefined_reasons
from model.spec.spec import Spec
from pipeline.exceptions import RecordError, describe_error
from search.tracking.provenance import code_tags
from search.tracking.tags import PARENT, REASON, RECORD_STATE, ROLE, STUDY, TRIAL_NUMBER, TRIAL_ROLE

if TYPE_CHECKING:
    import pandas as pd
    from mlflow import MlflowClient
    from mlflow.data.dataset import Dataset

    from model.training.trainer import EpochResult

LIBRARIES = ("torch", "mlflow", "optuna", "numpy", "pandas", "scikit-learn", "TA-Lib", "arch", "patchscale")


@cache
def library_tags() -> dict[str, str]:
    """Version of every library that can change a result."""
    found = {}
    for name in LIBRARIES:
        try:
            found[f"version.{name}"] = version(name)
        except ModuleNotFoundError:
            found[f"version.{name}"] = "unknown"
    return found


class TrialRecord:
    """Write one trial into MLflow, in few calls.

    Parameters
    ----------
    client : MlflowClient
        Connected to the tracking store.
    run_id : str
        The trial's run.
    """

    def __init__(self, client: MlflowClient, run_id: str) -> None:
        self.client = client
        self.run_id = run_id

    @classmethod
    def start(
        cls,
        client: MlflowClient,
        *,
        experiment_id: str,
        parent_run_id: str,
        study: str,
        number: int,
        spec: Spec,
        device: str,
        tags: Mapping[str, str] | None = None,
    ) -> TrialRecord:
        """Create the run, log every field of the spec, and prove that it reads back.

        Raises
        ------
        RecordError
            If what MLflow holds is not the spec; the run is then marked invalid.
        """
        run = client.create_run(
            experiment_id,
            run_name=f"{number:03d} {spec.architecture.label}",
            tags={
                PARENT: parent_run_id,
                ROLE: TRIAL_ROLE,
                STUDY: study,
                TRIAL_NUMBER: str(number),
                "device": device,
                **code_tags(),
                **library_tags(),
                **(tags or {}),
            },
        )
        record = cls(client, run.info.run_id)
        try:
            params = [Param(k, v) for k, v in spec.params().items()]
            client.log_batch(record.run_id, params=params, metrics=_metrics(_plottable(spec)))
            record.verify(spec)
        except RecordError as error:
            record.fail(error)
            raise
        return record

    @classmethod
    def resume(cls, client: MlflowClient, run_id: str, *, number: int, spec: Spec) -> TrialRecord | None:
        """Open the run of an interrupted trial again, for the trial that goes on with it.

        Returns
        -------
        TrialRecord or None
            None if the run is gone, has ended by itself, is of another spec, or was made by other code:
            a run holds one trial of one code version.
        """
        from mlflow.exceptions import MlflowException

        try:
            run = client.get_run(run_id)
        except MlflowException:
            return None
        same_code = all(run.data.tags.get(name) == value for name, value in code_tags().items())
        usable = run.info.lifecycle_stage == "active" and run.info.status in ("KILLED", "RUNNING")
        if not (usable and same_code and check_record(run.data.params, spec) == "valid"):
            return None
        client.update_run(run_id, status="RUNNING", name=f"{number:03d} {spec.architecture.label}")
        set_tags(client, run_id, {TRIAL_NUMBER: number, REASON: "resumed"})
        return cls(client, run_id)

    def verify(self, spec: Spec) -> None:
        """Read the params back, rebuild the spec and compare; tag the run valid or invalid.

        Raises
        ------
        RecordError
            If a field is missing or differs.
        """
        state = check_record(self.client.get_run(self.run_id).data.params, spec)
        self.client.set_tag(self.run_id, RECORD_STATE, state)
        if state != "valid":
            raise RecordError(f"run {self.run_id} must read back as what was logged, got {state}; check the store")

    def log_inputs(self, parts: Sequence[tuple[str, Dataset]]) -> None:
        """Log dataset entities, each with its context: ``train``, ``validation``."""
        log_inputs(self.client, self.run_id, parts)

    def epoch(self, result: EpochResult) -> None:
        """Log one epoch in one call."""
        values = {
            "train/loss": result.train_loss,
            "train/learning_rate": result.learning_rate,
            "train/samples_per_second": result.samples_per_second,
            "val/loss": result.validation.loss,
            "val/roc_auc": result.validation.roc_auc,
            "val/brier": result.validation.brier,
        }
        self.log(values, step=result.epoch)

    def log(self, values: Mapping[str, float], step: int = 0) -> None:
        """Log metrics; an undefined one is left out, since stores can't hold NaN alike."""
        self.client.log_batch(self.run_id, metrics=_metrics(values, step))

    def conclude(self, evaluation: Evaluation, figures: Mapping[str, float], files: Path) -> None:
        """Log an evaluation as ``best/…``, further figures and artifacts, and end the run FINISHED."""
        self.client.log_artifacts(self.run_id, str(files))
        values = {f"best/{name}": float(value) for name, value in asdict(evaluation).items()}
        undefined = "; ".join(f"{name}: {reason}" for name, reason in undefined_reasons(evaluation).items())
        tags = {REASON: "complete", **({"metrics.undefined": undefined} if undefined else {})}
        self.client.log_batch(self.run_id, metrics=_metrics({**values, **figures}), tags=_tags(tags))
        self.client.set_terminated(self.run_id, "FINISHED")

    def interrupt(self, reason: str = "interrupted") -> None:
        """End the run KILLED with the reason as a tag."""
        self._end("KILLED", reason)

    def fail(self, error: BaseException) -> None:
        """End the run FAILED with the traceback as an artifact."""
        self.client.log_text(self.run_id, "".join(traceback.format_exception(error)), "traceback.txt")
        self._end("FAILED", describe_error(error))

    def _end(self, status: str, reason: str) -> None:
        self.client.set_tag(self.run_id, REASON, reason)
        self.client.set_terminated(self.run_id, status)


def check_record(params: Mapping[str, str], spec: Spec) -> str:
    """Compare a run's params with the spec that was run: ``valid`` or ``invalid: …``."""
    different = spec.differences(params)
    missing = [name for name in different if name not in params]
    if missing:
        return f"invalid: missing {', '.join(missing)}"
    if different:
        return f"invalid: changed {', '.join(different)}"
    assert Spec.from_params(params) == spec
    return "valid"


def log_inputs(client: MlflowClient, run_id: str, parts: Sequence[tuple[str, Dataset]]) -> None:
    """Log dataset entities on a run, each with its context."""
    from mlflow.entities import DatasetInput, InputTag

    inputs = [
        DatasetInput(dataset=part._to_mlflow_entity(), tags=[InputTag("mlflow.data.context", context)])
        for context, part in parts
    ]
    client.log_inputs(run_id, inputs)


def log_table(client: MlflowClient, run_id: str, table: pd.DataFrame, name: str) -> None:
    """Log a frame as a CSV artifact."""
    with TemporaryDirectory() as directory:
        path = Path(directory) / name
        table.to_csv(path, index=False)
        client.log_artifact(run_id, str(path))


def set_tags(client: MlflowClient, run_id: str, tags: Mapping[str, Any]) -> None:
    """Set several tags in one call."""
    client.log_batch(run_id, tags=_tags(tags))


def _tags(tags: Mapping[str, Any]) -> list[RunTag]:
    return [RunTag(name, str(value)) for name, value in tags.items()]


def _metrics(values: Mapping[str, float], step: int = 0) -> list[Metric]:
    now = int(time.time() * 1000)
    return [Metric(name, value, now, step) for name, value in values.items() if math.isfinite(value)]


def _plottable(spec: Spec) -> dict[str, float]:
    """Numeric fields that people plot, as metrics: params sort as text."""
    a, t = spec.architecture, spec.training
    return {
        "hp/n_params": spec.n_params,
        "hp/log10_n_params": math.log10(spec.n_params),
        "hp/d_model": a.d_model,
        "hp/n_layers": a.n_layers,
        "hp/n_heads": a.n_heads,
        "hp/d_ff": a.d_ff,
        "hp/log10_learning_rate": math.log10(t.learning_rate),
        "hp/dropout": t.dropout,
    }
