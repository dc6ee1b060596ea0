"""Worker processes: started, told and heard a line of JSON at a time, ended with the pool."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from abc import ABC, abstractmethod
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pipeline.named_file import own_file
from search.tracking.lease import Lease
from search.tracking.stores import Stores

LAUNCHER_VARIABLES = ("MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_TRACKING_URI")
OWN_VARIABLES = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "MLFLOW_DISABLE_TELEMETRY": "true"}

Event = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Workforce:
    """Who works, and how long.

    Parameters
    ----------
    stores : Stores
        Of the study.
    n_workers : int
        Processes, one thread each: on a CPU that is faster than threads in one.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    lock : int, optional
        File descriptor of the lock that the caller holds. Workers hold it too: what is RUNNING after it is free is
        stale. None if a server holds it.
    lease : Lease, optional
        That the caller holds, of which ``lock`` is.
    launched : bool
        Whether ``mlflow run`` started this process, so that its end is ours.
    timeout : float, optional
        Seconds after which no further epoch is started.
    engine : str
        ``local`` or ``ray``: see :mod:`search.workers.engines`.
    gpus_per_trial : float
        Share of a GPU that Ray keeps for each.
    """

    stores: Stores
    n_workers: int
    device: str
    lock: int | None
    lease: Lease | None = None
    launched: bool = False
    timeout: float | None = None
    engine: str = "local"
    gpus_per_trial: float = 0.0

    def require_lease(self) -> None:
        """Make sure that the caller still holds what is worked on, if that is known.

        Raises
        ------
        LostLeaseError
            If another command took it over.
        """
        if self.lease is not None:
            self.lease.require()


class Worker(ABC):
    """One that does what it is ordered, and says so."""

    @abstractmethod
    def order(self, order: Any) -> None:
        """Send one order; a dead worker is noticed by its end instead."""

    @abstractmethod
    def kill(self) -> None:
        """End it at once."""

    def close(self) -> None:  # noqa: B027
        """Let go of what has ended."""


@dataclass(frozen=True, eq=False)
class WorkerProcess(Worker):
    """A worker process, with its standard input and output piped."""

    process: subprocess.Popen[str]

    def order(self, order: Any) -> None:
        """Send one order; a dead worker is noticed by its closed output instead.

        Unbuffered, because a signal handler may order while an order is being written.
        """
        assert self.process.stdin is not None
        with suppress(BrokenPipeError, ValueError):
            os.write(self.process.stdin.fileno(), f"{json.dumps(order)}\n".encode())

    def kill(self) -> None:
        """Kill it."""
        self.process.kill()

    def close(self) -> None:
        """Close its input."""
        if self.process.stdin is not None:
            self.process.stdin.close()


class Pool(ABC):
    """Workers inside a ``with``, which end with it; what they say comes in the order in which they say it.

    Parameters
    ----------
    workforce : Workforce
        How many there may be, and where they work.
    """

    chances = 1
    """How many workers in all a job is given when those that had it end."""

    def __init__(self, workforce: Workforce) -> None:
        self.workforce = workforce
        self.workers: list[Worker] = []
        self._events: queue.SimpleQueue[tuple[Worker, Event | None]] = queue.SimpleQueue()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *cause: object) -> None:
        self.kill()
        while self.workers:
            self.next_event()

    @abstractmethod
    def start(self) -> Worker:
        """Start one more worker."""

    @abstractmethod
    def ended(self, worker: Worker) -> Event:
        """Say how a worker ended, as :mod:`search.workers.engine` says it."""

    def next_event(self, timeout: float | None = None) -> tuple[Worker, Event | None] | None:
        """Wait for what a worker says next.

        Parameters
        ----------
        timeout : float, optional
            Seconds to wait for it at most.

        Returns
        -------
        Worker and dict, or None
            None instead of the event says that the worker ended; None alone that the time is over.
        """
        try:
            worker, event = self._events.get(timeout=timeout)
        except queue.Empty:
            return None
        if event is None:
            self.workers.remove(worker)
            worker.close()
        return worker, event

    def kill(self) -> None:
        """End every worker at once."""
        for worker in self.workers:
            worker.kill()


class WorkerPool(Pool):
    """Worker processes inside a ``with``; they end with it, and with this process however that ends.

    Parameters
    ----------
    module : str
        That each runs: its ``main`` is a :func:`search.workers.worker.serve`.
    study_name : str
        What they work on.
    workforce : Workforce
        How many there may be, and where they work.
    log_name : str
        File in the store's ``logs`` that takes what they write to standard error.
    """

    def __init__(self, module: str, study_name: str, workforce: Workforce, log_name: str) -> None:
        stores = workforce.stores
        self._command = [sys.executable, "-m", module, study_name, workforce.device]
        self._addresses = [stores.tracking_uri, stores.storage_uri, str(stores.home)]
        self.log_path = own_file(stores.home / "logs", log_name.removesuffix(".log"), ".log")
        super().__init__(workforce)

    def start(self) -> WorkerProcess:
        """Start one more worker, in a session of its own: Ctrl-C is for this process alone."""
        kept = {name: value for name, value in os.environ.items() if name not in LAUNCHER_VARIABLES}
        packages = os.pathsep.join(filter(None, [str(Path(__file__).parents[2]), kept.get("PYTHONPATH", "")]))
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        with self.log_path.open("a", encoding="utf-8") as log:
            process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                encoding="utf-8",
                env={**kept, **OWN_VARIABLES, "PYTHONPATH": packages},
                pass_fds=() if self.workforce.lock is None else (self.workforce.lock,),
                start_new_session=True,
            )
        worker = WorkerProcess(process)
        worker.order(self._addresses)  # a list of processes would show passwords in them
        self.workers.append(worker)
        threading.Thread(target=self._listen, args=(worker,), daemon=True).start()
        return worker

    def ended(self, worker: Worker) -> Event:
        """Say how a process ended, and where its log is."""
        assert isinstance(worker, WorkerProcess)
        code = worker.process.returncode
        return {
            "event": "lost" if code else "left",
            "error": f"worker exit code {code}, see {self.log_path}",
            "text": f"a worker ended unasked with exit code {code}; its messages are in {self.log_path}",
            "how": f"{code}; see {self.log_path}",
            "code": code,
        }

    def _listen(self, worker: WorkerProcess) -> None:
        output = worker.process.stdout
        assert output is not None
        try:
            with output:
                for line in output:
                    self._events.put((worker, json.loads(line)))
        except json.JSONDecodeError:
            worker.process.kill()
        finally:
            worker.process.wait()
            self._events.put((worker, None))
