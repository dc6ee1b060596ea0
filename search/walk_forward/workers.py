"""Processes that share a walk-forward's jobs: one thread each, which on a CPU is faster than threads in one."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from types import TracebackType

from model.baselines import BASELINES
from model.spec.spec import Spec
from pipeline.exceptions import TrainingError
from search.tracking.stores import Stores
from search.walk_forward.forecast import Forecaster, Job, Outcome
from search.walk_forward.subject import Subject
from search.workers.coordinator import LAUNCHER_VARIABLES

Results = Iterator[tuple[Job, Outcome]]


def run_here(forecaster: Forecaster, jobs: Iterable[Job]) -> Results:
    """Do jobs one after another in this process."""
    for job in jobs:
        yield job, forecaster.run(job)


def write_setup(subject: Subject, years: tuple[int, int]) -> str:
    """One line of JSON that says what is walked forward: the inverse of :func:`read_setup`."""
    spec = None if subject.spec is None else subject.spec.params()
    baseline = None if subject.baseline is None else subject.baseline.name
    return json.dumps({"name": subject.name, "spec": spec, "baseline": baseline, "years": years})


def read_setup(line: str) -> tuple[Subject, tuple[int, int]]:
    """Read what :func:`write_setup` wrote."""
    held = json.loads(line)
    spec = None if held["spec"] is None else Spec.from_params(held["spec"])
    baseline = None if held["baseline"] is None else BASELINES[held["baseline"]]
    first, last = held["years"]
    return Subject(name=held["name"], spec=spec, baseline=baseline), (first, last)


class WorkerPool:
    """So many worker processes, inside a ``with``; they end with it, and with this process however that ends.

    Parameters
    ----------
    stores : Stores
        Of the study.
    study_name : str
        Whose days are taken.
    subject, years
        What is walked forward.
    n_workers : int
        Processes.
    device : str
        ``auto``, ``cpu`` or ``cuda``.
    lock : int
        File descriptor that workers hold too: what is RUNNING after the lock is free is stale.
    """

    def __init__(
        self,
        stores: Stores,
        study_name: str,
        subject: Subject,
        years: tuple[int, int],
        *,
        n_workers: int,
        device: str,
        lock: int,
    ) -> None:
        self._arguments = [stores.tracking_uri, stores.storage_uri, str(stores.home), study_name, device]
        self._log = stores.home / "logs" / f"{study_name}.walkforward.log"
        self._setup, self._n_workers, self._lock = write_setup(subject, years), n_workers, lock
        self._processes: list[subprocess.Popen[str]] = []

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()

    def run(self, jobs: Iterable[Job]) -> Results:
        """Do jobs, each by the next process that is free; in the order in which they end.

        Raises
        ------
        TrainingError
            If a job fails, or a process dies.
        """
        waiting = deque(jobs)
        while len(self._processes) < min(self._n_workers, len(waiting)):
            self._processes.append(self._start())
        working: dict[subprocess.Popen[str], Job] = {}
        with selectors.DefaultSelector() as selector:
            for process in self._processes:
                assert process.stdout is not None
                selector.register(process.stdout, selectors.EVENT_READ, process)
                self._give(process, waiting, working)
            while working:
                for key, _ in selector.select():
                    process = key.data
                    job = working.pop(process)
                    outcome = self._answer(process, job)
                    self._give(process, waiting, working)
                    yield job, outcome

    def _give(
        self, process: subprocess.Popen[str], waiting: deque[Job], working: dict[subprocess.Popen[str], Job]
    ) -> None:
        if waiting:
            working[process] = waiting.popleft()
            _send(process, json.dumps(asdict(working[process])))

    def _answer(self, process: subprocess.Popen[str], job: Job) -> Outcome:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            code = process.wait()
            raise TrainingError(
                f"a worker must live until its job {job.name} is done, got one that ended with {code}; "
                f"see {self._log}, and repeat the command: what is finished is kept"
            )
        held = json.loads(line)
        if "error" in held:
            raise TrainingError(f"{job.name}: {held['error']}")
        return Outcome.from_dict(held)

    def _start(self) -> subprocess.Popen[str]:
        kept = {name: value for name, value in os.environ.items() if name not in LAUNCHER_VARIABLES}
        packages = os.pathsep.join(filter(None, [str(Path(__file__).parents[2]), kept.get("PYTHONPATH", "")]))
        single = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "MLFLOW_DISABLE_TELEMETRY": "true"}
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("a") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "search.walk_forward.worker", *self._arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**kept, **single, "PYTHONPATH": packages},
                pass_fds=(self._lock,),
                start_new_session=True,
            )
        _send(process, self._setup)
        return process


def _send(process: subprocess.Popen[str], line: str) -> None:
    """Send a line; a dead worker is noticed by its closed output instead."""
    assert process.stdin is not None
    try:
        os.write(process.stdin.fileno(), f"{line}\n".encode())
    except BrokenPipeError:
        pass
