"""What a version sees, as the run of the trial that it was made of says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from search.registry.versions.versions import TRIAL_RUN
from search.tracking.reader import find_run

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

    from search.study.plan import Plan


def context_length_of(client: MlflowClient, version: ModelVersion, plan: Plan) -> int:
    """Days that a version sees.

    Parameters
    ----------
    client : MlflowClient
        Of the tracking store.
    version : ModelVersion
        The version.
    plan : Plan
        Of its study: where the trial's run is gone its longest context is taken, which is enough for any.
    """
    run = find_run(client, version.tags[TRIAL_RUN]) if TRIAL_RUN in version.tags else None
    held = {} if run is None else run.data.params
    return int(held["context_length"]) if "context_length" in held else plan.context_length
