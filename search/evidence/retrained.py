"""Finalists that were trained again with further seeds: what the seeds of each say together of the same days.

Shapes: S seeds, M finalists, D days.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from io import BytesIO
from itertools import takewhile
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.exceptions import RecordError
from search.evidence.bootstrap import LEVEL, Interval, has_support
from search.evidence.difference import chance_of_as_large
from search.evidence.long_run import difference_cosines, mean_interval, standard_error
from search.evidence.scores import Array, daily_losses
from search.results.seed_noise import SEED_PARAMS
from search.results.trial_runs import recorded_trials
from search.tracking.artifacts import PREDICTIONS, read_artifact
from search.tracking.reader import find_runs, matching
from search.tracking.tags import FINISHED, RECORD_STATE, ROLE, STUDY, TRIAL_ROLE, VALID

if TYPE_CHECKING:
    from mlflow.entities import Run

    from search.study.plan import Plan
    from search.study.study import Study

FURTHER_SEEDS = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Retrained:
    """Finalists with all their seeds, the first of which is the study's own.

    Parameters
    ----------
    names : tuple of str
        As the forecasts name them: ``trial 3 d64-L2-h4-ff128``.
    seeds : tuple of int
        Of every finalist; where a trial is several models, the first seed of each of its trainings.
    y_D : ndarray of shape (days,)
        Outcomes.
    p_SMD : ndarray of shape (seeds, finalists, days)
        Probabilities of 1.
    seeds_each : int
        Seeds that each of those stands for, whose probabilities were averaged: the ``n_seeds`` of a trial.
    """

    names: tuple[str, ...]
    seeds: tuple[int, ...]
    y_D: Array
    p_SMD: Array
    seeds_each: int = 1

    @property
    def n_models(self) -> int:
        """Models of a finalist, each with a seed of its own."""
        return len(self.seeds) * self.seeds_each

    @property
    def titles(self) -> tuple[str, ...]:
        """What each row of losses by seed is of: ``seed 1``, or ``seeds 3-5`` where a trial averages three."""
        if self.seeds_each == 1:
            return tuple(f"seed {seed}" for seed in self.seeds)
        return tuple(f"seeds {seed}-{seed + self.seeds_each - 1}" for seed in self.seeds)

    @property
    def losses_MD(self) -> Array:
        """Log loss by finalist and day of the mean of its seeds' probabilities."""
        return daily_losses(self.y_D, self.p_SMD.mean(axis=0))

    @property
    def losses_M(self) -> Array:
        """Mean log loss of each finalist's seeds together."""
        mean_M: Array = self.losses_MD.mean(axis=1)
        return mean_M

    @property
    def losses_SM(self) -> Array:
        """Mean log loss of each seed, or of the mean of each trial's seeds, of each finalist."""
        mean_SM: Array = daily_losses(self.y_D, self.p_SMD).mean(axis=-1)
        return mean_SM

    @property
    def order(self) -> npt.NDArray[np.int64]:
        """Rows of the finalists, the winner first."""
        return np.argsort(self.losses_M, kind="stable")


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """The winner's log loss less a baseline's, the choice among the finalists counted.

    Parameters
    ----------
    interval : Interval
        Wide enough to hold for whichever finalist wins: each alone at the level 1 - 5 % / finalists.
    p_value : float
        One-sided, times the finalists, at most 1.
    """

    interval: Interval
    p_value: float


def claim_against(found: Retrained, p_baseline_D: Array, *, horizon: int) -> Claim:
    """Hold the winner against a baseline on the same days.

    References
    ----------
    Dunn (1961), "Multiple comparisons among means", JASA 56, for the Bonferroni level.
    """
    winner, n_days = int(found.order[0]), len(found.y_D)
    apart_D = found.losses_MD[winner] - daily_losses(found.y_D, p_baseline_D)
    n_cosines, tries = difference_cosines(n_days, horizon), len(found.names)
    interval = mean_interval(apart_D, n_cosines, level=1 - (1 - LEVEL) / tries)
    if not has_support(found.y_D):
        return Claim(interval=replace(interval, low=np.nan, high=np.nan), p_value=np.nan)
    p_value = chance_of_as_large(-interval.value, standard_error(apart_D, n_cosines), n_cosines)
    return Claim(interval=interval, p_value=min(1.0, tries * p_value))


def further_plan(plan: Plan, further: int) -> Plan:
    """Plan of the study that trains finalists with the first, second, … further seed, or as many as a trial has."""
    return replace(plan, seed=plan.seed + further * plan.n_seeds, study=f"{plan.study}-seed{further}")


def load_retrained(study: Study) -> Retrained | None:
    """Read the finalists that have every further seed; None if there is none.

    Raises
    ------
    RecordError
        If seeds were not scored on the same days and outcomes.
    """
    further = list(takewhile(bool, (_runs(study, n) for n in range(1, FURTHER_SEEDS + 1))))
    if len(further) < FURTHER_SEEDS:
        return None
    names, tables = list[str](), list[list[pd.DataFrame]]()
    for trial in recorded_trials(study):
        key = _setting(trial.run)
        if trial.finished and not trial.problem and trial.spec is not None and all(key in runs for runs in further):
            held = [read_artifact(study.client, run, PREDICTIONS) for run in (trial.run, *(r[key] for r in further))]
            if all(each is not None for each in held):
                names.append(f"{TRIAL_ROLE} {trial.number} {trial.spec.architecture.label}")
                tables.append([pd.read_parquet(BytesIO(each)) for each in held if each is not None])
    if not names:
        return None
    first = tables[0][0]
    for name, each in zip(names, tables, strict=True):
        if not all(table[column].equals(first[column]) for table in each for column in ("date", "y")):
            raise RecordError(f"seeds of finalists must be scored on the same days, got others for {name}")
    p_MSD = np.array([[table["p"].to_numpy(dtype=np.float64) for table in each] for each in tables])
    return Retrained(
        names=tuple(names),
        seeds=tuple(study.plan.seed + n * study.plan.n_seeds for n in range(FURTHER_SEEDS + 1)),
        y_D=first["y"].to_numpy(dtype=np.float64),
        p_SMD=p_MSD.transpose(1, 0, 2),
        seeds_each=study.plan.n_seeds,
    )


def _runs(study: Study, further: int) -> Mapping[frozenset[tuple[str, str]], Run]:
    """Finished trials of a further seed, by all their settings but the seed."""
    tags = {ROLE: TRIAL_ROLE, STUDY: further_plan(study.plan, further).study, RECORD_STATE: VALID}
    runs = find_runs(study.client, [study.experiment_id], matching(tags, status=FINISHED))
    return {_setting(run): run for run in runs}


def _setting(run: Run) -> frozenset[tuple[str, str]]:
    return frozenset((name, value) for name, value in run.data.params.items() if name not in SEED_PARAMS)
