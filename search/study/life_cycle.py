"""A study's experiment and run in MLflow, where people delete things: made, there, deleted, or gone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipeline.exceptions import StoreError
from search.tracking.lease import store_lease
from search.tracking.location import artifact_folder
from search.tracking.reader import find_experiment, find_experiments, find_run, find_runs, is_active, matching
from search.tracking.stores import Stores
from search.tracking.tags import ROLE, STUDY, STUDY_ROLE

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run


def lost_record(client: MlflowClient, experiment_id: str, run_id: str) -> str:
    """Say what of a study's experiment and run is not there any more; empty if both are.

    Parameters
    ----------
    client : MlflowClient
        Of the tracking store.
    experiment_id, run_id : str
        Of the study, as the schedule names them.
    """
    for kind, found, name in (
        ("experiment", find_experiment(client, experiment_id), experiment_id),
        ("run", find_run(client, run_id), run_id[:8]),
    ):
        if found is None:
            return f"its {kind} {name} is gone for good"
        if not is_active(found):
            return f"its {kind} {name} was deleted"
    return ""


def require_record(client: MlflowClient, study: str, experiment_id: str, run_id: str) -> None:
    """Refuse a study whose experiment or run was deleted.

    Raises
    ------
    StoreError
        Naming what is not there, and what brings it back.
    """
    lost = lost_record(client, experiment_id, run_id)
    if lost:
        raise StoreError(f"study {study} must have its record in MLflow, but {lost}; {restores(study)}")


def restores(study: str) -> str:
    """Say which command brings back what one store lost."""
    return f"patchscale reconcile {study} restores what can be"


def find_or_create_experiment(client: MlflowClient, stores: Stores, name: str) -> str:
    """Id of the experiment of this name, with its artifacts beside an embedded store.

    Raises
    ------
    StoreError
        If it was deleted.
    """
    with store_lease(stores):
        existing = client.get_experiment_by_name(name)
        if existing is None:
            return _create_experiment(client, stores, name)
    if not is_active(existing):
        raise StoreError(
            f"experiment {name} must be there, but it was deleted in MLflow; bring it back with its runs: mlflow "
            f"experiments restore --experiment-id {existing.experiment_id}, or delete it for good: mlflow gc "
            f"--experiment-ids {existing.experiment_id}"
        )
    return str(existing.experiment_id)


def _create_experiment(client: MlflowClient, stores: Stores, name: str) -> str:
    """Make an experiment; one that somebody whose schedule lies elsewhere made at the same moment is as good."""
    from mlflow.exceptions import MlflowException

    location = stores.artifact_location
    try:
        return str(client.create_experiment(name, artifact_location=location and f"{location}/{artifact_folder(name)}"))
    except MlflowException:
        made = client.get_experiment_by_name(name)
        if made is None or not is_active(made):
            raise
        return str(made.experiment_id)


def whole_runs(runs: Sequence[Run]) -> list[Run]:
    """Leave those of the studies' runs that say a plan: one whose making was killed before that is of no study."""
    return [run for run in runs if run.data.params]


def recorded_studies(client: MlflowClient) -> dict[str, Run]:
    """Run of every study that the record holds, by name: also of those whose schedule was lost."""
    runs = whole_runs(find_runs(client, find_experiments(client), matching({ROLE: STUDY_ROLE})))
    return {run.data.tags[STUDY]: run for run in reversed(runs) if STUDY in run.data.tags}


def lost_schedule(client: MlflowClient, name: str) -> StoreError | None:
    """Make the error for a study of the record that Optuna's store has no more; None if the record has none."""
    if name not in recorded_studies(client):
        return None
    return StoreError(
        f"study {name} must have its schedule in Optuna's store, got none: schedule lost, repeat its hpo to restore it"
    )
