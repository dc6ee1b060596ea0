"""The launcher: the run that ``mlflow run`` makes for itself, tied to the study that it launched."""

from __future__ import annotations

import os
import socket
import sys
from typing import TYPE_CHECKING

from pipeline.exceptions import StoreError, describe_error
from pipeline.redaction import HIDDEN, holds_secret, redacted
from search.tracking.address import PASSWORD_FILE, STORAGE_VARIABLE
from search.tracking.held import of_nobody_else
from search.tracking.holder import is_alive
from search.tracking.reader import find_experiments, find_run, find_runs, is_active, matching
from search.tracking.run import RunWriter, forget_params
from search.tracking.stores import open_tracking, resolve_stores
from search.tracking.tags import LAUNCHER_HOST, LAUNCHER_PID, LAUNCHER_ROLE, NOTE, ROLE, RUNNING, STUDY

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from search.study.study import Study

PROJECT, ENTRY_POINT = "mlflow.project.", "mlflow.project.entryPoint"
ENTRY_POINTS = ("hpo", "campaign")
LONGEST_NAME = 200


class Launcher:
    """The run of the ``mlflow run`` that started this process, in the store that it uses.

    Parameters
    ----------
    client : MlflowClient
        Of the launcher's own store, which need not be the study's.
    run_id : str
        The launcher's run.
    """

    def __init__(self, client: MlflowClient, run_id: str) -> None:
        self.client = client
        self.run_id = run_id

    @classmethod
    def from_environment(cls) -> Launcher | None:
        """Take the run out of the environment, so that nothing else mistakes it for its own.

        None if nobody launched us: only a RUNNING run that ``mlflow run`` made for one of our entry points is a
        launcher. What else a shell names is somebody's own run: it is left alone, which is said.
        """
        run_id = os.environ.pop("MLFLOW_RUN_ID", None)
        for name in ("MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME"):
            os.environ.pop(name, None)
        if not run_id:
            return None
        try:
            client, problem = _launched(run_id)
        except StoreError as error:
            client, problem = None, describe_error(error)
        if client is None or problem:
            print(f"note: MLFLOW_RUN_ID names run {run_id[:8]}, which {problem}: left alone", file=sys.stderr)
            return None
        return cls(client, run_id)

    def link(self, *studies: Study) -> None:
        """Tag the run with what it launched, and with the process that will end it."""
        names, run_ids = (",".join(each) for each in zip(*((s.plan.study, s.run_id) for s in studies), strict=True))
        tags = {ROLE: LAUNCHER_ROLE, STUDY: names, "study.run_id": run_ids}
        RunWriter(self.client, self.run_id).set_tags(
            {**tags, LAUNCHER_PID: os.getppid(), LAUNCHER_HOST: socket.gethostname()}
        )
        self.client.update_run(self.run_id, name=f"mlflow run: {names}"[:LONGEST_NAME])

    def refuse(self, command: str, message: str) -> None:
        """Name the run for the command that was refused before there was a study, and say why on its page."""
        RunWriter(self.client, self.run_id).set_tags({ROLE: LAUNCHER_ROLE, NOTE: f"**Refused**: {message}"})
        self.client.update_run(self.run_id, name=f"mlflow run: {command} refused")

    def require_no_secret(self, command: str, *addresses: str) -> None:
        """Refuse what ``mlflow run`` has recorded of its run although it holds a password, in whatever param.

        Parameters
        ----------
        command : str
            That was launched.
        *addresses : str
            That it was given, whether or not they are found in the record.

        Raises
        ------
        StoreError
            Saying how the password gets here unrecorded.
        """
        held = self.client.get_run(self.run_id).data
        params, tags = (sorted(k for k, v in each.items() if holds_secret(v)) for each in (held.params, held.tags))
        if not (params or tags or any(map(holds_secret, addresses))):
            return
        where = f" in {', '.join([*params, *tags])}" if params or tags else ""
        error = StoreError(
            f"an address that mlflow run is given must hold no password, since it is recorded as a param, got one"
            f"{where} on run {self.run_id[:8]}; change the password, delete that run, and give the new one in "
            f"{STORAGE_VARIABLE} (MLFLOW_TRACKING_URI for MLflow's store) or in {PASSWORD_FILE}"
        )
        forget_params(self.client, self.run_id, params)
        RunWriter(self.client, self.run_id).set_tags({name: _hidden(held.tags[name]) for name in tags})
        self.refuse(command, str(error))
        raise error

    def end(self, status: str, state: str) -> None:
        """End the run as the study ended."""
        with of_nobody_else():
            RunWriter(self.client, self.run_id).end(status, state)


def refuse_recorded_secret(command: str) -> None:
    """Do so before anything else of the command is looked at; the environment goes on naming the launcher's run.

    Raises
    ------
    StoreError
        As :meth:`Launcher.require_no_secret` does.
    """
    run_id = os.environ.get("MLFLOW_RUN_ID", "")
    try:
        client, problem = _launched(run_id) if run_id else (None, "")
    except StoreError:
        return  # of the store, which whoever uses it says
    if client is not None and not problem:
        Launcher(client, run_id).require_no_secret(command)


def close_stale_launchers(client: MlflowClient) -> list[str]:
    """Close runs of ``mlflow run`` on this host whose process is gone."""
    done = []
    query = matching({ROLE: LAUNCHER_ROLE, LAUNCHER_HOST: socket.gethostname()}, status=RUNNING)
    for run in find_runs(client, find_experiments(client), query):
        if not is_alive(run.data.tags.get(LAUNCHER_PID, "")):
            RunWriter(client, run.info.run_id).interrupt()
            done.append(f"closed launcher run {run.info.run_id[:8]}, whose process is gone")
    return done


def _hidden(text: str) -> str:
    shown = redacted(text)
    return HIDDEN if holds_secret(shown) else shown


def _launched(run_id: str) -> tuple[MlflowClient | None, str]:
    """Open the store that the environment names, and say why the run is no launcher; empty if it is one."""
    uri = os.environ.get("MLFLOW_TRACKING_URI", "")
    if not uri:
        return None, "comes without the MLFLOW_TRACKING_URI that mlflow run sets"
    stores = resolve_stores(uri)
    database = stores.tracking_database
    if database is not None and not database.exists():
        return None, f"is in no store, {database} is not there"
    client = open_tracking(stores)
    run = find_run(client, run_id)
    if run is None or not is_active(run):
        return client, "is not there (any more)"
    if run.info.status != RUNNING:
        return client, f"is {run.info.status}, so it launched nothing"
    tags = run.data.tags
    if not any(name.startswith(PROJECT) for name in tags) or tags.get(ENTRY_POINT, "hpo") not in ENTRY_POINTS:
        return client, "was not made by mlflow run for this project"
    return client, ""
