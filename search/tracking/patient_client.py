"""MLflow's client of a server, patient: see :mod:`search.tracking.patience`."""

from __future__ import annotations

import inspect
import os
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from mlflow import MlflowClient
from mlflow.entities import LoggedModelStatus
from mlflow.exceptions import MlflowException

from search.tracking.guarded_client import GuardedClient
from search.tracking.patience import wait_for
from search.tracking.reader import every_page, quoted

if TYPE_CHECKING:
    from mlflow.entities import LoggedModel, Run
    from mlflow.entities.model_registry import ModelVersion, RegisteredModel

ABOUT = "MLflow's store"
ONCE = ("create_", "copy_", "log_model", "start_", "__")
"""Beginnings of calls that would do twice what arrived the first time, unless said otherwise here."""
REPEATED = ("log_model_artifact", "log_model_artifacts")
GONE = "RESOURCE_DOES_NOT_EXIST"
RETRIES = "MLFLOW_HTTP_REQUEST_MAX_RETRIES"

_lock = threading.Lock()
"""Of that variable."""


class PatientClient(GuardedClient):
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

        return wait_for(ABOUT, _unrepeated(lambda: create(experiment_id, started, tags, run_name)), _unrepeated(again))

    def create_experiment(self, name: str, *arguments: Any, **named: Any) -> str:
        """Make an experiment; one of this name is it, where no answer came."""

        def find() -> str | None:
            found = MlflowClient.get_experiment_by_name(self, name)
            return None if found is None else str(found.experiment_id)

        return self._once(partial(super().create_experiment, name, *arguments, **named), find)

    def create_registered_model(self, name: str, *arguments: Any, **named: Any) -> RegisteredModel:
        """Make a registered model; one of this name is it, where no answer came."""
        find = partial(_unless_gone, MlflowClient.get_registered_model, self, name)
        return self._once(partial(super().create_registered_model, name, *arguments, **named), find)

    def create_logged_model(
        self,
        experiment_id: str,
        name: str | None = None,
        source_run_id: str | None = None,
        tags: dict[str, str] | None = None,
        params: dict[str, str] | None = None,
        model_type: str | None = None,
    ) -> LoggedModel:
        """Begin a logged model; the newest that was begun of its run under its name is it, where no answer came."""

        def find() -> LoggedModel | None:
            search = partial(MlflowClient.search_logged_models, self)
            query = f"source_run_id = '{source_run_id}'" if source_run_id else None
            found = every_page(search, experiment_ids=[experiment_id], filter_string=query)
            mine = [
                each
                for each in found
                if name in (None, each.name)
                and each.status == LoggedModelStatus.PENDING
                and all(each.tags.get(key) == str(value) for key, value in (tags or {}).items())
            ]
            return max(mine, key=lambda each: each.creation_timestamp, default=None)

        create = super().create_logged_model
        return self._once(partial(create, experiment_id, name, source_run_id, tags, params, model_type), find)

    def create_model_version(
        self, name: str, source: str, run_id: str | None = None, *arguments: Any, **named: Any
    ) -> ModelVersion:
        """Make a version; the newest of this run and these files is it, where no answer came."""

        def find() -> ModelVersion | None:
            search = partial(MlflowClient.search_model_versions, self)
            found = every_page(search, filter_string=f"name = {quoted(name)}")
            mine = [each for each in found if (each.run_id or None, each.source) == (run_id, source)]
            return max(mine, key=lambda each: int(each.version), default=None)

        return self._once(partial(super().create_model_version, name, source, run_id, *arguments, **named), find)

    def _once(self, create: Callable[[], Any], find: Callable[[], Any]) -> Any:
        """Make what must not be made twice: what arrived without an answer is found."""

        def again() -> Any:
            found = find()
            return create() if found is None else found

        return wait_for(ABOUT, _unrepeated(create), _unrepeated(again))


def _holds(run: Run, tags: Mapping[str, Any]) -> bool:
    return all(run.data.tags.get(name) == str(value) for name, value in tags.items())


def _unrepeated(ask: Callable[[], Any]) -> Callable[[], Any]:
    """Let the library below send a request once: what it sends again by itself may have arrived before."""

    def once() -> Any:
        with _lock:
            before = os.environ.get(RETRIES)
            os.environ[RETRIES] = "0"
            try:
                return ask()
            finally:
                os.environ.pop(RETRIES, None)
                if before is not None:
                    os.environ[RETRIES] = before

    return once


def _unless_gone(function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """Ask for what may not be there: None then."""
    try:
        return function(*arguments, **named)
    except MlflowException as error:
        if error.error_code != GONE:
            raise
        return None


def _patient(function: Callable[..., Any]) -> Any:
    """Repeat a call; what is to be deleted and is gone by the second time was deleted by the first."""
    deletes = function.__name__.startswith("delete_")

    def call(self: PatientClient, *arguments: Any, **named: Any) -> Any:
        ask = partial(function, self, *arguments, **named)
        return wait_for(ABOUT, _unrepeated(ask), partial(_unless_gone, ask)) if deletes else wait_for(ABOUT, ask)

    call.__name__, call.__doc__ = function.__name__, function.__doc__
    return call


for _name, _function in inspect.getmembers(GuardedClient, inspect.isfunction):
    if _name in REPEATED or not _name.startswith((*ONCE, "_")):
        setattr(PatientClient, _name, _patient(_function))
