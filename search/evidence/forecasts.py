"""A study's forecasts: what every trial and every baseline said of the validation days.

Shapes: M models, D days.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from model.baselines import BASELINES
from pipeline.exceptions import InputError, RecordError, SealedError, StoreError
from pipeline.splits.splits import MIN_EVALUATION_DAYS
from search.evidence.difference import Difference, paired_difference
from search.evidence.scores import Array, daily_losses
from search.results.trial_runs import whole_record
from search.tracking.artifacts import NEW_STUDY, PREDICTIONS, is_kept, lost_in_words, read_artifact
from search.tracking.tags import BASELINE_ROLE, FINISHED, RECORD_STATE, TRIAL_ROLE, VALID
from search.trial.baselines import SETTINGS_HASH, baseline_params

if TYPE_CHECKING:
    from mlflow.entities import Run

    from search.study.study import Study


@dataclass(frozen=True, kw_only=True, slots=True)
class Forecasts:
    """Several models' forecasts of the same days.

    Parameters
    ----------
    dates_D : DatetimeIndex of shape (days,)
        Forecast days, ascending.
    y_D : ndarray of shape (days,)
        Outcomes, 0 or 1.
    p_MD : ndarray of shape (models, days)
        Probabilities of 1.
    names : tuple of str
        ``trial 3 d64-L2-h4-ff128`` or ``baseline logistic``, each once.
    roles : tuple of str
        ``trial`` or ``baseline``.
    run_ids : tuple of str
        MLflow runs.
    n_params : tuple of int or None
        Parameters of a trial's model.
    horizon : int
        Sessions that a label looks ahead.
    """

    dates_D: pd.DatetimeIndex
    y_D: Array
    p_MD: Array
    names: tuple[str, ...]
    roles: tuple[str, ...]
    run_ids: tuple[str, ...]
    n_params: tuple[int | None, ...]
    horizon: int

    def __post_init__(self) -> None:
        assert self.p_MD.shape == (len(self.names), len(self.dates_D)) and len(self.y_D) == len(self.dates_D)
        assert len(set(self.names)) == len(self.roles) == len(self.run_ids) == len(self.n_params) == len(self.names)

    @property
    def losses_MD(self) -> Array:
        """Log loss in nats by model and day."""
        return daily_losses(self.y_D, self.p_MD)

    def has_days_of(self, other: Forecasts) -> bool:
        """Whether these are of the same days and outcomes."""
        return self.dates_D.equals(other.dates_D) and np.array_equal(self.y_D, other.y_D)

    def of_role(self, role: str) -> Forecasts:
        """Only the trials, or only the baselines; perhaps none."""
        return self.of_rows([row for row, each in enumerate(self.roles) if each == role])

    def of_rows(self, rows: Sequence[int]) -> Forecasts:
        """Only these models."""
        return replace(
            self,
            p_MD=self.p_MD[list(rows)],
            names=tuple(self.names[row] for row in rows),
            roles=tuple(self.roles[row] for row in rows),
            run_ids=tuple(self.run_ids[row] for row in rows),
            n_params=tuple(self.n_params[row] for row in rows),
        )

    def difference(self, row: int, other: int, *, metric: str = "loss") -> Difference:
        """Score of one model less that of another."""
        return paired_difference(self.y_D, self.p_MD[row], self.p_MD[other], horizon=self.horizon, metric=metric)

    def row(self, name: str) -> int:
        """Row of a model.

        Raises
        ------
        InputError
            If there is none of this name.
        """
        if name not in self.names:
            raise InputError(f"model must be one of {', '.join(self.names)}, got {name!r}")
        return self.names.index(name)

    def of_days(self, kept_D: npt.NDArray[np.bool_]) -> Forecasts:
        """Only these days."""
        return replace(self, dates_D=self.dates_D[kept_D], y_D=self.y_D[kept_D], p_MD=self.p_MD[:, kept_D])

    def best(self, role: str) -> int:
        """Row of the lowest mean loss among the models of a role.

        Raises
        ------
        InputError
            If there is none.
        """
        rows = [row for row, each in enumerate(self.roles) if each == role]
        if not rows:
            raise InputError(
                f"forecasts must hold at least one {role}, got none; {_REMEDIES.get(role, 'take another')}"
            )
        return rows[int(self.losses_MD[rows].mean(axis=1).argmin())]


_REMEDIES = {TRIAL_ROLE: "run patchscale hpo until one is finished", BASELINE_ROLE: "run patchscale baselines STUDY"}


def load_forecasts(study: Study) -> Forecasts:
    """Read the validation predictions of a study's finished trials and baselines.

    Trials whose record is invalid or of another plan stay out, and each spec enters
    once; of each baseline the newest run with the settings of the study's plan enters.

    Raises
    ------
    InputError
        If there is no prediction, or fewer than 200 days.
    StoreError
        If a finished model's predictions are gone, or the run of a finished trial is.
    RecordError
        If two models were not scored on the same days and outcomes, or a probability is none.
    SealedError
        If a day is of the test split.
    """
    read = [(model, _predictions(study, model)) for model in (*_trials(study), *_baselines(study))]
    if not read:
        raise InputError(f"study {study.plan.study} must have finished trials or baselines with predictions, got none")
    found = join_forecasts(read, horizon=study.plan.target.horizon)
    _require_evaluable(study, found.dates_D)
    return found


@dataclass(frozen=True, kw_only=True, slots=True)
class ForecastRun:
    """A run whose forecasts may enter the evidence."""

    name: str
    role: str
    run: Run
    n_params: int | None


def join_forecasts(read: Sequence[tuple[ForecastRun, pd.DataFrame]], *, horizon: int) -> Forecasts:
    """Put tables of date, y and p together.

    Raises
    ------
    RecordError
        If two models were not scored on the same days and outcomes, or a probability is none.
    """
    runs, tables = [run for run, _ in read], [table for _, table in read]
    for run, table in read:
        _require_same_days(run, table, read[0])
    return Forecasts(
        dates_D=pd.DatetimeIndex(tables[0]["date"]),
        y_D=tables[0]["y"].to_numpy(dtype=np.float64),
        p_MD=np.stack([table["p"].to_numpy(dtype=np.float64) for table in tables]),
        names=tuple(run.name for run in runs),
        roles=tuple(run.role for run in runs),
        run_ids=tuple(str(run.run.info.run_id) for run in runs),
        n_params=tuple(run.n_params for run in runs),
        horizon=horizon,
    )


def _predictions(study: Study, model: ForecastRun) -> pd.DataFrame:
    name = study.plan.study
    rule = f"evidence of study {name} must hold every finished model, but {PREDICTIONS} of {model.name} is gone"
    otherwise = f"let patchscale baselines {name} log it anew" if model.role == BASELINE_ROLE else NEW_STUDY
    held = read_artifact(study.client, model.run, PREDICTIONS)
    if held is None:
        raise StoreError(lost_in_words(study.client, model.run, PREDICTIONS, rule, otherwise))
    return pd.read_parquet(BytesIO(held))


def _trials(study: Study) -> Iterator[ForecastRun]:
    """Trials that are finished, whose record can be trusted, and whose spec is of the study's plan; each spec once."""
    seen: set[str] = set()
    for trial in whole_record(study):
        spec = trial.spec
        if not trial.finished or trial.problem or spec is None or spec.hash in seen:
            continue
        if spec == study.plan.spec(spec.architecture, study.plan.drawn_of(spec.training)):
            seen.add(spec.hash)
            name = f"{TRIAL_ROLE} {trial.number} {spec.architecture.label}"
            yield ForecastRun(name=name, role=TRIAL_ROLE, run=trial.run, n_params=spec.n_params)


def _baselines(study: Study) -> Iterator[ForecastRun]:
    newest_first = study.runs(BASELINE_ROLE, status=FINISHED)
    for name, baseline in BASELINES.items():
        settings = baseline_params(study, baseline)[SETTINGS_HASH]
        own = [
            run
            for run in newest_first
            if run.data.params.get(SETTINGS_HASH) == settings and run.data.tags.get(RECORD_STATE) == VALID
        ]
        whole = (run for run in own if is_kept(study.client, run, PREDICTIONS) is not False)
        run = next(whole, next(iter(own), None))
        if run is not None:
            yield ForecastRun(name=f"{BASELINE_ROLE} {name}", role=BASELINE_ROLE, run=run, n_params=None)


def _require_same_days(model: ForecastRun, table: pd.DataFrame, first: tuple[ForecastRun, pd.DataFrame]) -> None:
    for column in ("date", "y"):
        if not table[column].equals(first[1][column]):
            raise RecordError(
                f"every model must be scored on the same days and outcomes, got another {column} for {model.name} "
                f"than for {first[0].name}; delete the run of the one that is wrong"
            )
    if not table["p"].between(0, 1).all():
        raise RecordError(f"probabilities must be between 0 and 1, got another one of {model.name}; delete its run")


def _require_evaluable(study: Study, days: pd.DatetimeIndex) -> None:
    sealed = study.plan.split.test_start
    if days.max() >= pd.Timestamp(sealed):
        raise SealedError(
            f"evidence of a study must end before its test split, from {sealed} on, got {days.max().date()}; "
            "patchscale evaluate opens it for a registered version"
        )
    if len(days) < MIN_EVALUATION_DAYS:
        raise InputError(f"evidence needs at least {MIN_EVALUATION_DAYS} days, got {len(days)}; widen the split")
