"""A machine as the code sees one: its own working directory, home and host name, and the addresses of the servers."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from tests.forking_commands import HOST, Popen, workers_of
from tests.forking_commands import run as run_forked

PROJECT = Path(__file__).resolve().parents[2]
OTHERS = ("MLFLOW_", "PATCHSCALE_", "PG")
"""Beginnings of the variables of whoever runs the tests, which no machine has."""
NAMED = "import os, socket, platform\nown = socket.gethostname()\n"
NAMED += "socket.gethostname = platform.node = lambda: os.environ.get('{}', own)\n"
"""A server of forked commands loads this once, for machines and for others."""


class Machine:
    """Commands that run on it find nothing but what the servers hold.

    Parameters
    ----------
    directory : Path
        Of everything that lies on it.
    host : str
        Its name.
    tracking_uri, storage : str
        Of the stores, as its environment names them; an empty one is not named.
    """

    def __init__(self, directory: Path, host: str, tracking_uri: str, storage: str) -> None:
        self.directory, self.host = directory / "work", host
        self.home, site = directory / "home", directory / "site"
        for each in (self.directory, self.home, site):
            each.mkdir(parents=True)
        (site / "sitecustomize.py").write_text(NAMED.format(HOST), encoding="utf-8")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(OTHERS)}
        stores = {"MLFLOW_TRACKING_URI": tracking_uri, "PATCHSCALE_STORAGE": storage}
        self.environment = {
            **kept,
            **{name: value for name, value in stores.items() if value},
            **{HOST: host, "HOME": str(self.home), "COLUMNS": "200", "MLFLOW_DISABLE_TELEMETRY": "true"},
            "PYTHONPATH": os.pathsep.join([str(PROJECT), str(site)]),
        }
        self._started: list[subprocess.Popen[str]] = []

    def run(self, *arguments: str, code: int | None = 0, interpreter: bool = False, **variables: str) -> str:
        """Run a command to its end: what it said, its exit code proved unless that is None.

        It is forked, unless its ``interpreter`` is to start too.
        """
        done = (subprocess.run if interpreter else run_forked)(
            [sys.executable, "-m", "search", *arguments],
            cwd=self.directory,
            env={**self.environment, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert code is None or done.returncode == code, f"{' '.join(arguments)}: {done.returncode}\n{done.stdout}"
        assert "Traceback" not in done.stdout, done.stdout
        return done.stdout

    def start(self, *arguments: str, interpreter: bool = False, **variables: str) -> subprocess.Popen[str]:
        """Start a command in a session of its own; whatever is left of it is killed with the machine."""
        return self.start_program([sys.executable, "-m", "search", *arguments], interpreter=interpreter, **variables)

    def start_program(
        self, arguments: Sequence[str], *, interpreter: bool = True, **variables: str
    ) -> subprocess.Popen[str]:
        """Start any program on it."""
        process = (subprocess.Popen if interpreter else Popen)(
            arguments,
            cwd=self.directory,
            env={**self.environment, "PYTHONUNBUFFERED": "1", **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._started.append(process)
        return process

    def destroy(self, process: subprocess.Popen[str]) -> None:
        """End a command and its workers at once, and take the disk away."""
        for pid in [process.pid, *workers_of(process)]:
            os.kill(pid, signal.SIGKILL)
        process.wait()
        shutil.rmtree(self.directory)
        self.directory.mkdir()

    def close(self) -> None:
        """End what runs on it, as a power cut does."""
        for process in self._started:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            assert process.stdout is not None
            process.stdout.close()
