"""The launcher: the run that ``mlflow run`` makes for itself, tied to the study that it launched."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

from search.tracking.locks import is_alive
from search.tracking.reader import find_experiments, find_runs, matching
from search.tracking.run import RunWriter
from search.tracking.tags import LAUNCHER_ROLE, ROLE, RUNNING, STUDY

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from search.study.study import Study

PID, HOST = "launcher.pid", "launcher.host"


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

        None if nobody launched us, or the run that is named does not exist.
        """
        run_id = os.environ.pop("MLFLOW_RUN_ID", None)
        os.environ.pop("MLFLOW_EXPERIMENT_ID", None)
        if not run_id:
            return None
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException

        client = MlflowClient(tracking_uri=os.environ.get("MLFLOW_TRACKING_URI"))
        try:
            client.get_run(run_id)
        except MlflowException:
            return None
        return cls(client, run_id)

    def link(self, *studies: Study) -> None:
        """Tag the run with what it launched, and with the process that will end it."""
        names, run_ids = (",".join(each) for each in zip(*((s.plan.study, s.run_id) for s in studies), strict=True))
        tags = {ROLE: LAUNCHER_ROLE, STUDY: names, "study.run_id": run_ids}
        RunWriter(self.client, self.run_id).set_tags({**tags, PID: os.getppid(), HOST: socket.gethostname()})

    def end(self, status: str, state: str) -> None:
        """End the run as the study ended."""
        RunWriter(self.client, self.run_id).end(status, state)


def close_stale_launchers(client: MlflowClient) -> list[str]:
    """Close runs of ``mlflow run`` on this host whose process is gone."""
    done = []
    query = matching({ROLE: LAUNCHER_ROLE, HOST: socket.gethostname()}, status=RUNNING)
    for run in find_runs(client, find_experiments(client), query):
        if not is_alive(run.data.tags.get(PID, "")):
            RunWriter(client, run.info.run_id).interrupt()
            done.append(f"closed launcher run {run.info.run_id[:8]}, whose process is gone")
    return done
