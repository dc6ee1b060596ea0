"""A trial's training state: a file of this machine and, where artifacts are served, an artifact of the trial's run.

Whoever goes on with the trial on another machine has nothing but the servers.  What was sent last stands in a tag of
the run, written once it is there whole: a machine that dies while it sends leaves the state before.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from pipeline.exceptions import StoreError, describe_error
from search.tracking.artifacts import delete_artifact, fetch_artifact, is_served
from search.tracking.database import database_of
from search.tracking.reader import find_run

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

SENT = "training.state"
"""Tag of a run whose trial has not ended: place, epoch and digest of the state that was sent last."""
FOLDER = "training"
SEND_SECONDS = 60.0
"""How long a machine's death may set a trial back, unless its epochs take longer."""


class TrainingState:
    """What a trial goes on with after its last epoch, as long as it has not ended.

    Parameters
    ----------
    client : MlflowClient
        Of the tracking store.
    run_id : str
        The trial's run.
    path : Path
        File of this machine.
    """

    def __init__(self, client: MlflowClient, run_id: str, path: Path) -> None:
        self.client, self.run_id, self.path = client, run_id, path
        self._sent_at: float | None = None
        self._sent: dict[str, Any] = {}
        self._epoch: int | None = None
        """Last epoch that was saved here and not sent."""
        self._served: bool | None = False if database_of(str(client.tracking_uri)) is not None else None

    def save(self, write: Callable[[Path], None], epoch: int) -> None:
        """Write the state after an epoch, and send it if the last one was sent a minute ago, or none was."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write(self.path)
        self._epoch = epoch
        if self._sent_at is None or time.monotonic() - self._sent_at >= SEND_SECONDS:
            self.send()

    def send(self) -> None:
        """Send what was saved since the last time, where artifacts are served.

        A trial does not fail because that can't be done: it would only be set back further if this machine died.
        """
        try:
            if self._epoch is not None and self._is_served():
                self._send()
        except Exception as error:
            self._sent_at = time.monotonic()
            print(f"note: training state of run {self.run_id} not sent, {describe_error(error)}", file=sys.stderr)

    def _send(self) -> None:
        before, folder = self._sent, f"{FOLDER}/epoch-{self._epoch}"
        sent = {"folder": folder, "name": self.path.name, "epoch": self._epoch, "sha256": _digest(self.path)}
        self.client.log_artifact(self.run_id, str(self.path), folder)
        self.client.set_tag(self.run_id, SENT, json.dumps(sent))
        self._sent, self._sent_at, self._epoch = sent, time.monotonic(), None
        if before and before["folder"] != folder:
            self._delete(before["folder"])

    def fetch(self, saved_epoch: Callable[[Path], int | None]) -> str:
        """Bring here what another machine sent, if it is further on than what lies here.

        Parameters
        ----------
        saved_epoch : callable
            Reads the epoch of a state; None of a file that is none.

        Returns
        -------
        str
            Why it could not be had; empty if it could, or there is none.
        """
        run = self._run()
        self._sent = _sent_by(run)
        if run is None or not self._sent:
            return ""
        here = saved_epoch(self.path) if self.path.exists() else None
        if here is not None and here >= self._sent["epoch"]:
            return ""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with TemporaryDirectory(dir=self.path.parent) as directory:
                path = f"{self._sent['folder']}/{self._sent['name']}"
                found = fetch_artifact(self.client, run, path, Path(directory))
                if found is None or _digest(found) != self._sent["sha256"]:
                    return f"the state after epoch {self._sent['epoch']} that was sent is gone or damaged"
                os.replace(found, self.path)
        except StoreError as error:
            return describe_error(error)
        self._sent_at = time.monotonic()
        return ""

    def remove(self) -> None:
        """Remove it here and there: the trial has ended."""
        self.path.unlink(missing_ok=True)
        self._epoch = None
        sent = self._sent or (_sent_by(self._run()) if self._is_served() else {})
        if sent:
            self._delete(FOLDER)
            with suppress(Exception):
                self.client.delete_tag(self.run_id, SENT)
            self._sent = {}

    def _is_served(self) -> bool:
        if self._served is None:
            run = self._run()
            self._served = run is not None and is_served(run)
        return self._served

    def _run(self) -> Run | None:
        return find_run(self.client, self.run_id) if self._served is not False else None

    def _delete(self, path: str) -> None:
        """Delete what is not needed any more; a store that can't keeps it."""
        run = self._run()
        if run is not None:
            with suppress(Exception):
                delete_artifact(self.client, run, path)


def _sent_by(run: Run | None) -> dict[str, Any]:
    text = run.data.tags.get(SENT, "") if run is not None else ""
    return dict(json.loads(text)) if text else {}


def _digest(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
