"""Out-of-sample forecasts of versions: read from the record of the search, stored with the version."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException

from pipeline.exceptions import RecordError
from search.baselines import log_baselines
from search.evidence.forecasts import load_forecasts
from search.registry.chosen import Chosen
from search.registry.claim import Claim, stored_claim
from search.registry.versions import require_tag, version_name
from search.stores import Stores, study_lock

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

    from search.study import Study

PREDICTIONS = "evidence/predictions.parquet"
SOURCE, HORIZON = "evidence.source", "target.horizon"


def claim_of_trial(study: Study, chosen: Chosen, name: str) -> Claim:
    """Collect a trial's validation forecasts, the best baseline's, and the losses of the whole search.

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
        raise RecordError(f"the stored predictions of {chosen.trial.name} must be readable, got none; choose another")
    row = forecasts.run_ids.index(chosen.trial.run_id)
    trials = np.array([role == "trial" for role in forecasts.roles])
    claim = Claim(
        name=name,
        source=f"validation of trial {chosen.trial.number} of study {study.plan.study}, one of {chosen.of} compared on it",
        horizon=forecasts.horizon,
        dates_D=forecasts.dates_D,
        y_D=forecasts.y_D,
        p_D=forecasts.p_MD[row],
    )
    if "baseline" not in forecasts.roles:
        return claim
    best = forecasts.best("baseline")
    return replace(
        claim,
        baseline=forecasts.names[best],
        p_baseline_D=forecasts.p_MD[best],
        search_losses_MD=forecasts.losses_MD[trials],
        benchmark=forecasts.names[best],
        benchmark_losses_D=forecasts.losses_MD[best],
    )


def require_baselines(stores: Stores, study: Study) -> list[str]:
    """Log the baselines that the study lacks; name those that failed."""
    with study_lock(stores, f"{study.plan.study}.baselines"):
        return [f"{each.name}: {each.error}" for each in log_baselines(study) if each.error]


def store_claim(client: MlflowClient, run_id: str, claim: Claim) -> None:
    """Write a version's forecasts beside it, for whoever compares with it later."""
    with TemporaryDirectory() as directory:
        path = Path(directory) / Path(PREDICTIONS).name
        claim.frame().to_parquet(path, index=False)
        client.log_artifact(run_id, str(path), str(Path(PREDICTIONS).parent))


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
    try:
        with TemporaryDirectory() as directory:
            table = pd.read_parquet(client.download_artifacts(str(version.run_id), PREDICTIONS, directory))
    except (MlflowException, OSError, ValueError) as error:
        raise RecordError(
            f"{version_name(version)} must keep its out-of-sample predictions, {PREDICTIONS} of run "
            f"{version.run_id} can't be read ({type(error).__name__}); register its study again"
        ) from error
    return stored_claim(table, name=version_name(version), source=source, horizon=horizon)
