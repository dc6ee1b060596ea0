"""Studies that a killed command left half made: their schedule says no run of theirs, and nothing of them has run.

A study is made under its lease, its run's id written last.  Whatever a kill leaves of one before that is removed by the
same command, which then makes it anew.  A schedule that somebody else made with Optuna is none of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import optuna
from optuna.study import StudyDirection

from search.tracking.reader import find_runs, matching
from search.tracking.tags import PARENT, ROLE, RUNNING, STUDY, STUDY_ROLE

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run
    from optuna.study import StudySummary

    from search.study.plan import Plan

PLAN, RUN_ID = "plan", "run_id"
"""Attributes of a schedule: the first and the last that a study is given as it is made."""


def is_half_made(storage: Any, summary: StudySummary) -> bool:
    """Whether a schedule is of a study that was never finished being made.

    It has a plan and no run; or it is empty, without attribute or trial of anybody, as it is when its row is made.
    """
    held = summary.user_attrs
    if held:
        return PLAN in held and RUN_ID not in held
    if summary.n_trials or summary.directions != [StudyDirection.MINIMIZE]:
        return False
    return not storage.get_study_system_attrs(summary._study_id)


def remove_half_made(client: MlflowClient, storage: Any, plan: Plan) -> None:
    """Remove what is there of such a study: its runs first, since its schedule tells that there may be some."""
    for run in parent_runs(client, plan, status=RUNNING):
        if not find_runs(client, [run.info.experiment_id], matching({PARENT: run.info.run_id})):
            client.delete_run(run.info.run_id)
    optuna.delete_study(study_name=plan.study, storage=storage)


def parent_runs(client: MlflowClient, plan: Plan, status: str = "") -> list[Run]:
    """Every run of a study of a plan's name, the latest first."""
    experiment = client.get_experiment_by_name(plan.experiment)
    query = matching({ROLE: STUDY_ROLE, STUDY: plan.study}, status=status)
    return find_runs(client, [experiment.experiment_id] if experiment else [], query)
