"""The run of a trial: every field of its spec as a param, every epoch as a step."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from model.spec.architecture import Architecture, WindowedArchitecture
from model.spec.spec import Spec
from pipeline.exceptions import RecordError
from search.space.axes import WINDOW_AXES
from search.space.grid import AXES
from search.study.study import Study
from search.tracking.provenance import code_tags
from search.tracking.run import RunWriter
from search.tracking.tags import DEVICE, KILLED, RUNNING, TRIAL_NUMBER, TRIAL_ROLE

if TYPE_CHECKING:
    from model.training.trainer import EpochResult

SCORES = ("loss", "base_rate_loss", "skill", "roc_auc", "brier")


def start_trial(
    study: Study, number: int, spec: Spec, *, device: str, tags: Mapping[str, str] | None = None
) -> RunWriter:
    """Create the run, log every field of the spec, and prove that it reads back.

    Raises
    ------
    RecordError
        If what MLflow holds is not the spec; the run is then marked invalid.
    """
    tags = {TRIAL_NUMBER: str(number), DEVICE: device, **(tags or {})}
    writer = study.start_run(_name(number, spec), role=TRIAL_ROLE, tags=tags)
    try:
        held = writer.log_params(spec.params(), _plottable(spec))
    except RecordError as error:
        writer.fail(error)
        raise
    assert Spec.from_params(held) == spec
    return writer


def resume_trial(study: Study, run_id: str, number: int, spec: Spec) -> RunWriter | None:
    """Open the run of an interrupted trial again, for the trial that goes on with it.

    Returns
    -------
    RunWriter or None
        None if the run is gone, has ended by itself, is of another spec, or was made by other code:
        a run holds one trial of one code version.
    """
    from mlflow.exceptions import MlflowException

    try:
        run = study.client.get_run(run_id)
    except MlflowException:
        return None
    same_code = code_tags().items() <= run.data.tags.items()
    usable = run.info.lifecycle_stage == "active" and run.info.status in (KILLED, RUNNING)
    if not (usable and same_code) or spec.differences(run.data.params):
        return None
    writer = RunWriter(study.client, run_id)
    writer.resume(_name(number, spec), {TRIAL_NUMBER: number})
    return writer


def log_epoch(writer: RunWriter, result: EpochResult, prefix: str = "") -> None:
    """Log one epoch in one call; of a model before it is trained, what it said of the validation days.

    The names of one of several trainings of a trial begin with its own prefix.
    """
    trained = {
        "train/loss": result.train_loss,
        "train/learning_rate": result.learning_rate,
        "train/samples_per_second": result.samples_per_second,
    }
    values = {
        **(trained if result.epoch else {}),
        "val/loss": result.validation.loss,
        "val/roc_auc": result.validation.roc_auc,
        "val/brier": result.validation.brier,
    }
    writer.log({f"{prefix}{name}": value for name, value in values.items()}, step=result.epoch)


def trial_result(spec: Spec, scores: Mapping[str, float], *, epochs: int, seconds: float) -> dict[str, Any]:
    """Gather what the schedule keeps of a finished trial; a score that nobody knows is NaN."""
    known = {name: scores.get(name, math.nan) for name in SCORES}
    named = {"label": spec.architecture.label, "n_params": spec.n_params, "epochs": epochs}
    return {**named, **known, "seconds": seconds}


def spec_attributes(spec: Spec) -> dict[str, Any]:
    """Gather what the schedule keeps of a trial's spec, beside the ranks that it drew."""
    axes = {axis: getattr(spec.architecture, axis) for axis in AXES}
    return {**axes, **_searched_window(spec.architecture), "n_params": spec.n_params, "spec_hash": spec.hash}


def _searched_window(architecture: Architecture) -> dict[str, int]:
    """Dimensions of the window where the study searches them."""
    is_searched = isinstance(architecture, WindowedArchitecture)
    return {name: getattr(architecture, name) for name in WINDOW_AXES} if is_searched else {}


def _name(number: int, spec: Spec) -> str:
    return f"{number:03d} {spec.architecture.label}"


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
        **{f"hp/{name}": value for name, value in _searched_window(a).items()},
        "hp/log10_learning_rate": math.log10(t.learning_rate),
        "hp/dropout": t.dropout,
    }
