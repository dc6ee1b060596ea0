"""MLflow's client of a server, patient: see :mod:`search.tracking.patience`."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from mlflow import MlflowClient

from search.tracking.patience import wait_for
from search.tracking.reader import every_page

if TYPE_CHECKING:
    from mlflow.entities import Run

ABOUT = "MLflow's store"
ONCE = ("create_", "copy_", "log_model", "start_", "__")
"""Beginnings of calls that would do twice what arrived the first time."""


class PatientClient(MlflowClient):
    """Client that asks again where the server did not answer."""

    def create_run(
        self,
        experiment_id: str,
        start_time: int | None = None,
        tags: dict[str, Any] | None = None,
        run_name: str | None = None,
    ) -> Run:
        """Make a run; one that was made although no answer came is found by its name and the moment it was asked."""
        started = int(time.time() * 1000) if start_time is None else start_time
        create = super().create_run

        def again() -> Run:
            query = f"attributes.start_time = {started} and attributes.status = 'RUNNING'"
            search = partial(MlflowClient.search_runs, self)
            found = every_page(search, experiment_ids=[experiment_id], filter_string=query)
            mine = (run for run in found if run_name in (None, run.info.run_name) and _holds(run, tags or {}))
            return next(mine, None) or create(experiment_id, started, tags, run_name)

        return wait_for(ABOUT, lambda: create(experiment_id, started, tags, run_name), again)


def _holds(run: Run, tags: Mapping[str, Any]) -> bool:
    return all(run.data.tags.get(name) == str(value) for name, value in tags.items())


def _patient(function: Callable[..., Any]) -> Any:
    def call(self: PatientClient, *arguments: Any, **named: Any) -> Any:
        return wait_for(ABOUT, lambda: function(self, *arguments, **named))

    call.__name__, call.__doc__ = function.__name__, function.__doc__
    return call


for _name, _function in inspect.getmembers(MlflowClient, inspect.isfunction):
    if not _name.startswith((*ONCE, "_")):
        setattr(PatientClient, _name, _patient(_function))
