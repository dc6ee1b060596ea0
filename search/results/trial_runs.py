"""The trials of a study as the record holds them: read back from MLflow, not from the schedule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from model.spec.migrations import schema_of
from model.spec.spec import Spec
from pipeline.exceptions import PatchscaleError, StoreError
from search.study.life_cycle import restores
from search.tracking.tags import FINISHED, INVALID, RECORD_STATE, RESTORED, RUNNING, TRIAL_NUMBER, TRIAL_ROLE

if TYPE_CHECKING:
    from mlflow.entities import Run
    from optuna.trial import FrozenTrial

    from search.study.study import Study


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordedTrial:
    """One trial's run.

    Parameters
    ----------
    run : Run
        As MLflow returns it.
    spec : Spec, optional
        Rebuilt from the run's params; None if they do not make one.
    problem : str
        Why the record can't be trusted; empty if it can.
    """

    run: Run
    spec: Spec | None
    problem: str

    @property
    def run_id(self) -> str:
        """Of the run."""
        return str(self.run.info.run_id)

    @property
    def number(self) -> int:
        """The trial's number, as the run names it."""
        return int(self.run.data.tags[TRIAL_NUMBER])

    @property
    def schema(self) -> int | None:
        """Of the record; None if it holds no spec."""
        return schema_of(self.run.data.params) if self.spec is not None else None

    @property
    def finished(self) -> bool:
        """Whether it was trained to its end and evaluated."""
        return bool(self.run.info.status == FINISHED)

    @property
    def is_running(self) -> bool:
        """Whether its run says that it has not ended."""
        return bool(self.run.info.status == RUNNING)

    @property
    def loss(self) -> float | None:
        """Validation loss of the best weights."""
        return self.run.data.metrics.get("best/loss")

    @property
    def name(self) -> str:
        """What a reader calls it: ``trial 3 (run 5c6b697c)``."""
        return f"trial {self.number} (run {self.run_id[:8]})"


def recorded_trials(study: Study) -> list[RecordedTrial]:
    """Every run of the study's trials, by trial number, whatever its state."""
    return sorted(map(read_trial, study.runs(TRIAL_ROLE)), key=lambda trial: trial.number)


def whole_record(study: Study) -> list[RecordedTrial]:
    """Every run of the study's trials, as :func:`recorded_trials`, where each finished trial still has its own.

    Raises
    ------
    StoreError
        If the run of a finished trial was deleted: what is left would be other evidence.
    """
    recorded = recorded_trials(study)
    finished = study.finished()
    for trial, run in zip(finished, runs_of(finished, recorded), strict=True):
        if run is None or not run.finished:
            name, run_id = study.plan.study, str(trial.user_attrs.get("run_id"))
            state = "is not there (it was deleted)" if run is None else f"says {run.run.info.status}"
            raise StoreError(
                f"evidence of study {name} must hold every finished trial, but run {run_id} of trial {trial.number} "
                f"{state}; {restores(name)}"
            )
    return recorded


def runs_of(schedule: Sequence[FrozenTrial], recorded: Sequence[RecordedTrial]) -> list[RecordedTrial | None]:
    """Find the run of each scheduled trial: its own, or that which a repair made in its place, else None."""
    own = {each.run_id: each for each in reversed(recorded)}
    made = {
        each.spec.hash: each for each in reversed(recorded) if RESTORED in each.run.data.tags and each.spec is not None
    }
    attributes = [trial.user_attrs for trial in schedule]
    return [own.get(each.get("run_id", "")) or made.get(each.get("spec_hash", "")) for each in attributes]


def read_trial(run: Run) -> RecordedTrial:
    """Rebuild the spec; a run that never got its params has a problem only if it says that it finished."""
    said = run.data.tags.get(RECORD_STATE, "")
    try:
        spec: Spec | None = Spec.from_params(run.data.params)
        problem = ""
    except PatchscaleError as error:
        spec = None
        problem = str(error) if run.info.status == FINISHED else ""
    return RecordedTrial(run=run, spec=spec, problem=said if said.startswith(INVALID) else problem)
