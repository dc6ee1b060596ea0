"""The record of a walk-forward: one MLflow run, beside the study's trials, that keeps every fold as it is done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import TYPE_CHECKING

import pandas as pd

from model.metrics import evaluate
from pipeline.exceptions import RecordError
from search.folds.forecast import Job, Outcome
from search.folds.kept import keep_outcome, kept_outcomes
from search.study.study import Study
from search.tracking.artifacts import lost_in_words, read_artifact
from search.tracking.provenance import code_tags
from search.tracking.run import RunWriter
from search.tracking.tags import FINISHED, RECORD_STATE, VALID, WALK_FORWARD_ROLE
from search.trial.baselines import SETTINGS_HASH, hash_of
from search.walk_forward.subject import Subject

if TYPE_CHECKING:
    from mlflow.data.dataset import Dataset
    from mlflow.entities import Run

SUBJECT = "walkforward.subject"
OVERLAP = "walkforward.overlap_years"
FIRST_YEAR, LAST_YEAR, SEEDS, EPOCHS = (
    f"walkforward.{name}" for name in ("first_year", "last_year", "seeds", "epochs")
)
EPOCHS_RULE = "best of the year before, first seed, then refitted with every row before the year"
PREDICTIONS = "predictions/walkforward.parquet"


def walk_forward_params(study: Study, subject: Subject, years: tuple[int, int], n_seeds: int) -> dict[str, str]:
    """Params of a run over these years, first and last, with so many models a year; and a hash over all of them."""
    params = {
        **subject.params(study),
        FIRST_YEAR: str(years[0]),
        LAST_YEAR: str(years[1]),
        SEEDS: str(len(subject.seeds(n_seeds))),
        EPOCHS: EPOCHS_RULE if subject.spec is not None else "none",
    }
    return {**params, SETTINGS_HASH: hash_of(params)}


def find_finished(study: Study, params: Mapping[str, str]) -> Run | None:
    """Finished, valid run with these settings; None if there is none."""
    return next((run for run in _valid_runs(study, params) if run.info.status == FINISHED), None)


class WalkForwardRun:
    """A run that is being written.

    Parameters
    ----------
    study : Study
        It belongs to.
    run_id : str
        Of the run.
    """

    def __init__(self, study: Study, run_id: str) -> None:
        self.study, self.run_id = study, run_id
        self.writer = RunWriter(study.client, run_id)

    @classmethod
    def open(
        cls, study: Study, subject: Subject, params: Mapping[str, str], inputs: Sequence[tuple[str, Dataset]]
    ) -> WalkForwardRun:
        """Go on with an interrupted run of these settings and this code version, or make one.

        Raises
        ------
        RecordError
            If what MLflow holds is not what was logged; the run is then marked invalid.
        """
        interrupted = (run for run in _valid_runs(study, params) if run.info.status != FINISHED)
        code = code_tags().items()
        earlier = next((run for run in interrupted if code <= run.data.tags.items()), None)
        if earlier is not None:
            resumed = cls(study, str(earlier.info.run_id))
            resumed.writer.resume()
            return resumed
        name = f"walk-forward {params[FIRST_YEAR]}-{params[LAST_YEAR]} {subject.name}"
        writer = study.start_run(name, role=WALK_FORWARD_ROLE, tags={SUBJECT: subject.name})
        try:
            writer.log_params(params)
            writer.log_inputs(inputs)
        except BaseException as error:
            writer.stop(error)
            raise
        return cls(study, writer.run_id)

    def kept(self) -> dict[str, Outcome]:
        """Read what earlier commands finished, by job; a file that was cut off while it was written is none."""
        return kept_outcomes(self.study.client, self.run_id)

    def keep(self, job: Job, outcome: Outcome) -> None:
        """Keep what a job found, so that it is not done again."""
        keep_outcome(self.study.client, self.run_id, job.name, outcome)

    def conclude(self, days: pd.DataFrame, years: pd.DataFrame, figures: Mapping[str, float]) -> None:
        """Log predictions, the table of years and the pooled evaluation, and end the run FINISHED."""
        self.writer.log_table(days, PREDICTIONS)
        self.writer.log_table(years, "walkforward_years.csv")
        self.writer.conclude(evaluate(days["y"].to_numpy(), days["p"].to_numpy()), figures)


def read_days(study: Study, run: Run) -> pd.DataFrame:
    """Predictions of a finished walk-forward: a row a day, columns date, year, y, p and one a seed.

    Raises
    ------
    RecordError
        If they are no longer there.
    """
    rule = f"a finished walk-forward must keep {PREDICTIONS}, got none"
    otherwise = "delete the run and repeat the walk-forward"
    held = read_artifact(study.client, run, PREDICTIONS)
    if held is None:
        raise RecordError(lost_in_words(study.client, run, PREDICTIONS, rule, otherwise))
    return pd.read_parquet(BytesIO(held))


def _valid_runs(study: Study, params: Mapping[str, str]) -> list[Run]:
    wanted = {SETTINGS_HASH: params[SETTINGS_HASH]}
    return study.runs(WALK_FORWARD_ROLE, tags={RECORD_STATE: VALID}, params=wanted)
