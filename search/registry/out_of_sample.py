"""Out-of-sample forecasts of versions: read from the record of the search, stored with the version."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pandas as pd

from pipeline.exceptions import RecordError
from pipeline.splits import MIN_EVALUATION_DAYS
from search import record
from search.artifacts import fetch_artifact
from search.baselines import ROLE as BASELINE
from search.baselines import log_baselines
from search.evidence.forecasts import TRIAL, Forecasts, load_forecasts
from search.registry.chosen import Chosen
from search.registry.claim import Claim, stored_claim
from search.registry.versions import require_tag, version_name
from search.stores import Stores, study_lock
from search.walk_forward.load import load_walk_forward, years_of
from search.walk_forward.runs import walk_forward_runs

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion

    from search.study import Study

STORED = "evidence/predictions.parquet"
SOURCE, HORIZON = "evidence.source", "target.horizon"


def claim_of_trial(study: Study, chosen: Chosen, name: str) -> Claim:
    """Collect the forecasts of a trial's spec out of sample, the best baseline's, and the losses of the whole search.

    The forecasts are a finished walk-forward's of this very spec, with baselines beside it, if the record has
    one; else the trial's own on the validation days, on which it was chosen.  The search is always held
    against the best baseline on the validation days.

    Parameters
    ----------
    study : Study
        Of the trial.
    chosen : Chosen
        The trial.
    name : str
        Of the version that is made of it.

    Raises
    ------
    RecordError
        If the trial's stored predictions are not among the study's.
    """
    forecasts = load_forecasts(study)
    if chosen.trial.run_id not in forecasts.run_ids:
        raise RecordError(
            f"the stored predictions of {chosen.trial.name} must be evidence of study {study.plan.study}, got none: "
            "they are gone, or another trial has the same spec; choose another trial"
        )
    source = f"validation of trial {chosen.trial.number} of study {study.plan.study}, one of {chosen.of} compared on it"
    claim = _claim(name, source, forecasts, forecasts.run_ids.index(chosen.trial.run_id))
    if BASELINE in forecasts.roles:
        best = forecasts.best(BASELINE)
        claim = replace(
            claim,
            search_losses_MD=forecasts.of_role(TRIAL).losses_MD,
            benchmark=forecasts.names[best],
            benchmark_losses_D=forecasts.losses_MD[best],
        )
    run = _walk_forward_of(study, chosen)
    return claim if run is None else _on_walk_forward(study, run, claim)


def _claim(name: str, source: str, forecasts: Forecasts, row: int) -> Claim:
    claim = Claim(
        name=name,
        source=source,
        horizon=forecasts.horizon,
        dates_D=forecasts.dates_D,
        y_D=forecasts.y_D,
        p_D=forecasts.p_MD[row],
    )
    if BASELINE not in forecasts.roles:
        return claim
    best = forecasts.best(BASELINE)
    return replace(claim, baseline=forecasts.names[best], p_baseline_D=forecasts.p_MD[best])


def _walk_forward_of(study: Study, chosen: Chosen) -> Run | None:
    """Find the finished walk-forward of the spec that covers the most years and has a baseline beside it."""
    finished = walk_forward_runs(study, f"attributes.status = 'FINISHED' and tags.`{record.RECORD_STATE}` = 'valid'")
    with_baseline = {years_of(run) for run in finished if "baseline" in run.data.params}
    own = [
        run
        for run in finished
        if run.data.params.get("spec_hash") == chosen.spec.hash and years_of(run) in with_baseline
    ]
    return max(own, key=lambda run: years_of(run)[1] - years_of(run)[0], default=None)


def _on_walk_forward(study: Study, run: Run, claim: Claim) -> Claim:
    """Put a claim on its spec's walk-forward; the search stays what it is."""
    first, last = years_of(run)
    forecasts = load_walk_forward(study, years=(first, last), run_ids=[str(run.info.run_id)])
    split = study.plan.split
    chosen_on = (forecasts.dates_D >= pd.Timestamp(split.validation_start)) & (
        forecasts.dates_D <= pd.Timestamp(split.validation_end)
    )
    source = f"walk-forward {first} to {last}, run {run.info.run_id[:8]}"
    apart = bool((~chosen_on).sum() >= MIN_EVALUATION_DAYS)
    if chosen_on.any():
        source += f"; on {int(chosen_on.sum())} of its days the spec was chosen" + (", left out" if apart else "")
    walked = _claim(claim.name, source, forecasts, forecasts.best(TRIAL))
    return replace(
        walked,
        unchosen_D=~chosen_on if apart else None,
        search_losses_MD=claim.search_losses_MD,
        benchmark=claim.benchmark,
        benchmark_losses_D=claim.benchmark_losses_D,
    )


def require_baselines(stores: Stores, study: Study) -> list[str]:
    """Log the baselines that the study lacks; name those that failed."""
    with study_lock(stores, f"{study.plan.study}.baselines"):
        return [f"{each.name}: {each.error}" for each in log_baselines(study) if each.error]


def store_claim(client: MlflowClient, run_id: str, claim: Claim) -> None:
    """Write a version's forecasts beside it, for whoever compares with it later."""
    with TemporaryDirectory() as directory:
        path = Path(directory) / Path(STORED).name
        claim.frame().to_parquet(path, index=False)
        client.log_artifact(run_id, str(path), str(Path(STORED).parent))


def claim_of_version(client: MlflowClient, version: ModelVersion) -> Claim:
    """Read the forecasts that :func:`store_claim` wrote.

    Raises
    ------
    InputError
        If the version was not registered by patchscale.
    RecordError
        If its forecasts are gone.
    """
    source, horizon = require_tag(version, SOURCE), int(require_tag(version, HORIZON))
    name = version_name(version)
    with TemporaryDirectory() as directory:
        path = fetch_artifact(client, client.get_run(str(version.run_id)), STORED, Path(directory))
        if path is None:
            raise RecordError(
                f"{name} must keep its out-of-sample predictions, {STORED} of run {version.run_id} is gone; "
                "register its study again"
            )
        return stored_claim(pd.read_parquet(path), name=name, source=source, horizon=horizon)
