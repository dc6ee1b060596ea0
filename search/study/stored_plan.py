"""The plan of a study that is there, by its name alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from search.study.half_made import PLAN
from search.study.life_cycle import whole_runs
from search.study.plan_record import read_plan
from search.tracking.database import database_of
from search.tracking.reader import find_experiments, find_runs, matching
from search.tracking.stores import Stores, open_storage, open_tracking
from search.tracking.tags import ROLE, STUDY, STUDY_ROLE

if TYPE_CHECKING:
    from search.study.plan import Plan


def stored_plan(stores: Stores, name: str) -> Plan | None:
    """Read the plan of a study from its schedule, or from its run where the schedule is lost.

    Returns
    -------
    Plan or None
        None if there is no study of this name; nothing is made where there is no store.
    """
    if _is_there(stores.storage_uri):
        import optuna

        storage = open_storage(stores)
        held = {each.study_name: each for each in optuna.get_all_study_summaries(storage)}
        if name in held and PLAN in held[name].user_attrs:
            return read_plan(
                json.loads(held[name].user_attrs[PLAN]), optuna.load_study(study_name=name, storage=storage)
            )
    if _is_there(stores.tracking_uri):
        client = open_tracking(stores)
        runs = whole_runs(find_runs(client, find_experiments(client), matching({ROLE: STUDY_ROLE, STUDY: name})))
        return read_plan(runs[0].data.params) if runs else None
    return None


def _is_there(uri: str) -> bool:
    """Whether a store that is a file exists; a server's is asked."""
    database = database_of(uri)
    return database is None or database.exists()
