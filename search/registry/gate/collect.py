"""Out-of-sample forecasts of versions: read from the record of the search, stored with the version."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from model.baselines import BASELINES
from pipeline.exceptions import RecordError
from search.evidence.forecasts import Forecasts, load_forecasts
from search.registry.gate.track_record import TrackRecord, stored_track_record
from search.registry.packaging.best_trial import BestTrial
from search.registry.versions.by_hand import EVIDENCE_RUN as EVIDENCE_RUN
from search.registry.versions.versions import require_tag, version_name
from search.tracking.artifacts import lost_in_words, read_artifact
from search.tracking.lease import brief_lease
from search.tracking.locks import part_of
from search.tracking.reader import find_run
from search.tracking.run import RunWriter
from search.tracking.stores import Stores
from search.tracking.tags import BASELINE_ROLE, FINISHED, RECORD_STATE, TRIAL_ROLE, VALID, WALK_FORWARD_ROLE
from search.trial.baselines import log_baselines
from search.walk_forward.load import load_walk_forward, years_of
from search.walk_forward.runs import read_days

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion
    from rich.console import Console

    from search.study.study import Study

STORED = "evidence/predictions.parquet"
MIN_UNCHOSEN_DAYS = 1000
SEED_COLUMN = "p_seed"
SOURCE, HORIZON = "evidence.source", "target.horizon"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Walked:
    """A finished walk-forward of a trial's spec, its rows of days, and the days on which the spec was not chosen."""

    run: Run
    days: pd.DataFrame
    unchosen_D: npt.NDArray[np.bool_]

    @property
    def n_unchosen(self) -> int:
        """Days that did not choose the spec."""
        return int(self.unchosen_D.sum())

    @property
    def seeds(self) -> list[str]:
        """Columns of the seeds, the spec's own first."""
        return [name for name in self.days.columns if name.startswith(SEED_COLUMN)]

    @property
    def words(self) -> str:
        """Its years and run."""
        first, last = years_of(self.run)
        return f"walk-forward {first} to {last}, run {self.run.info.run_id[:8]}"


def track_record_of_trial(study: Study, best: BestTrial, name: str, *, n_members: int) -> TrackRecord:
    """Collect the forecasts of a trial's spec out of sample, the best baseline's, and the losses of the whole search.

    The forecasts are a finished walk-forward's of this very spec that has at least 1,000 days on which it was not
    chosen, if the record has one: of several that with the most such days, then the most seeds, then the newest.
    Else they are the trial's own on the validation days, on which it was chosen.  The search is always held
    against the best baseline on the validation days.

    Parameters
    ----------
    study : Study
        Of the trial.
    best : BestTrial
        The trial.
    name : str
        Of the version that is made of it.
    n_members : int
        Weights that the version averages: of a walk-forward's seeds at most so many are.

    Raises
    ------
    RecordError
        If the trial's stored predictions are not among the study's.
    """
    forecasts = load_forecasts(study)
    if best.trial.run_id not in forecasts.run_ids:
        raise RecordError(
            f"the stored predictions of {best.trial.name} must be evidence of study {study.plan.study}, got none: "
            "they are gone, or another trial has the same spec; choose another trial"
        )
    source = f"validation of trial {best.trial.number} of study {study.plan.study}, one of {best.of} compared on it"
    track_record = _of_validation(study, name, source, forecasts, forecasts.run_ids.index(best.trial.run_id))
    walked = max(
        _walked(study, best), key=lambda w: (w.n_unchosen, len(w.seeds), int(w.run.info.start_time)), default=None
    )
    if walked is None:
        return track_record
    if walked.n_unchosen < MIN_UNCHOSEN_DAYS:
        too_short = (
            f"the {walked.words} was too short: {walked.n_unchosen:,} of its days did not choose the spec, at least "
            f"{MIN_UNCHOSEN_DAYS:,} are needed"
        )
        return replace(track_record, source=f"{track_record.source}; {too_short}")
    return _on_walk_forward(study, walked, track_record, n_members)


def _of_validation(study: Study, name: str, source: str, forecasts: Forecasts, row: int) -> TrackRecord:
    track_record = TrackRecord(
        name=name,
        source=source,
        horizon=study.plan.target.horizon,
        threshold=study.plan.target.threshold,
        dates_D=forecasts.dates_D,
        y_D=forecasts.y_D,
        p_D=forecasts.p_MD[row],
        search_losses_MD=forecasts.of_role(TRIAL_ROLE).losses_MD,
    )
    if BASELINE_ROLE not in forecasts.roles:
        return track_record
    best = forecasts.best(BASELINE_ROLE)
    return replace(
        track_record,
        baseline=forecasts.names[best],
        p_baseline_D=forecasts.p_MD[best],
        benchmark=forecasts.names[best],
        benchmark_losses_D=forecasts.losses_MD[best],
    )


def _walked(study: Study, best: BestTrial) -> Iterator[_Walked]:
    """Finished walk-forwards of the spec; one whose predictions are gone is not passed over."""
    split = study.plan.split
    own = {"spec_hash": best.spec.hash}
    for run in study.runs(WALK_FORWARD_ROLE, status=FINISHED, tags={RECORD_STATE: VALID}, params=own):
        days = read_days(study, run)
        chosen_on = days["date"].between(pd.Timestamp(split.validation_start), pd.Timestamp(split.validation_end))
        yield _Walked(run=run, days=days, unchosen_D=~chosen_on.to_numpy(dtype=np.bool_))


def _on_walk_forward(study: Study, walked: _Walked, track_record: TrackRecord, n_members: int) -> TrackRecord:
    """Put a track record on its spec's walk-forward; the search stays what it is."""
    forecasts = load_walk_forward(study, years=years_of(walked.run), run_ids=[str(walked.run.info.run_id)])
    seeds = walked.seeds[:n_members]
    source = f"{walked.words}, {f'mean of {len(seeds)} seeds' if len(seeds) > 1 else 'one seed'}"
    n_chosen = len(walked.days) - walked.n_unchosen
    if n_chosen:
        source += f"; on {n_chosen} of its days the spec was chosen, left out"
    track_record = replace(
        track_record,
        source=source,
        walked=True,
        dates_D=forecasts.dates_D,
        y_D=forecasts.y_D,
        p_D=walked.days[seeds].mean(axis=1).to_numpy(dtype=np.float64),
        unchosen_D=walked.unchosen_D if n_chosen else None,
    )
    missing = [name for name in BASELINES if f"{BASELINE_ROLE} {name}" not in forecasts.names]
    if missing:
        return replace(
            track_record, baseline="", p_baseline_D=None, baseline_missing=_walk_them(study, walked, missing)
        )
    best = forecasts.of_days(walked.unchosen_D).best(BASELINE_ROLE)
    return replace(track_record, baseline=forecasts.names[best], p_baseline_D=forecasts.p_MD[best])


def _walk_them(study: Study, walked: _Walked, missing: list[str]) -> str:
    first, last = years_of(walked.run)
    return (
        f"the best baseline of {first} to {last} is known when all are walked forward, missing {', '.join(missing)}; "
        f"patchscale walkforward baselines --study {study.plan.study} --first-year {first} --last-year {last}"
    )


def require_baselines(stores: Stores, study: Study, console: Console) -> None:
    """Log the baselines that the study lacks, and say which failed."""
    with brief_lease(stores, part_of(study.plan.study, "baselines")):
        failed = [each for each in log_baselines(study) if each.error]
    for each in failed:
        console.print(f"baseline failed, {each.name}: {each.error}", markup=False)


def store_track_record(client: MlflowClient, run_id: str, track_record: TrackRecord) -> None:
    """Write a version's forecasts beside it, for whoever compares with it later."""
    RunWriter(client, run_id).log_table(track_record.frame(), STORED)


def evidence_run(version: ModelVersion) -> str:
    """Id of the run beside which a version's forecasts and its gate's answers lie: that which registered it.

    A version that was made by hand is of its trial's run, which stays what it was; its promotion has a run of its own.
    """
    return str(version.tags.get(EVIDENCE_RUN) or version.run_id)


def track_record_of_version(client: MlflowClient, version: ModelVersion) -> TrackRecord:
    """Read the forecasts that :func:`store_track_record` wrote.

    Raises
    ------
    InputError
        If the version was not registered by patchscale.
    RecordError
        If its forecasts are gone.
    """
    source, horizon = require_tag(version, SOURCE), int(require_tag(version, HORIZON))
    name = version_name(version)
    run_id = evidence_run(version)
    run = find_run(client, run_id)
    if run is None:
        raise RecordError(
            f"{name} must keep its out-of-sample predictions, but its run {run_id} was deleted for good; "
            "register its study again"
        )
    rule = f"{name} must keep its out-of-sample predictions, {STORED} of run {run_id} is gone"
    held = read_artifact(client, run, STORED)
    if held is None:
        raise RecordError(lost_in_words(client, run, STORED, rule, "register its study again"))
    return stored_track_record(pd.read_parquet(BytesIO(held)), name=name, source=source, horizon=horizon)
