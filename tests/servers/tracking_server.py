"""MLflow's server for tests: its record in PostgreSQL, artifacts through itself."""

from __future__ import annotations

import sys
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from tempfile import mkdtemp

from tests.servers.postgres import Postgres
from tests.servers.supervised import Supervised

POLL_SECONDS = 0.1


class TrackingServer(Supervised):
    """``mlflow server`` with one process, before a database of a cluster.

    Parameters
    ----------
    postgres : Postgres
        Running.
    """

    def __init__(self, postgres: Postgres) -> None:
        super().__init__(Path(mkdtemp(prefix="mlflow-")))
        self.postgres, self.database = postgres, postgres.create()

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        """Say what is run."""
        stores = ["--backend-store-uri", self.postgres.url(self.database), "--serve-artifacts"]
        places = ["--artifacts-destination", str(self.directory / "artifacts"), "--host", "127.0.0.1"]
        return [sys.executable, "-m", "mlflow", "server", *stores, *places, "--port", str(self.port), "--workers", "1"]

    def environment(self) -> Mapping[str, str]:
        """Say which variables it has beside ours."""
        return {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}

    def wait_until_ready(self) -> None:
        """Return when it answers."""
        while True:
            self.require_alive()
            try:
                with urllib.request.urlopen(f"{self.url}/health", timeout=5):
                    return
            except OSError:
                time.sleep(POLL_SECONDS)
