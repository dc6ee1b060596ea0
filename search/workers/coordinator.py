"""The coordinator: hands out one trial at a time to worker processes until the target is met."""

from __future__ import annotations

import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import IO, Any

from pipeline.exceptions import StudyError
from search.study.reconcile import reconcile
from search.study.study import Study
from search.tracking.stores import Stores
from search.workers.progress import StudyProgress
from search.workers.worker import RUN, STOP

SAME_ERRORS_IN_A_ROW = 3
ERRORS_IN_A_ROW = 10
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LAUNCHER_VARIABLES = ("MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_TRACKING_URI")
SECOND_SIGNAL_AFTER_SECONDS = 2.0
POLL_SECONDS = 0.5


@dataclass(eq=False)
class Worker:
    """A worker process and what it is doing.

    Parameters
    ----------
    process : Popen
        With its standard input and output piped.
    busy : bool
        Whether it was given a trial that has not ended.
    number : int, optional
        Of the trial it runs.
    """

    process: subprocess.Popen[str]
    busy: bool = False
    number: int | None = None

    def order(self, word: str) -> None:
        """Send one order; a dead worker is noticed by its closed output instead.

        Unbuffered, because a signal handler may order while an order is being written.
        """
        assert self.process.stdin is not None
        try:
            os.write(self.process.stdin.fileno(), f"{word}\n".encode())
        except (BrokenPipeError, ValueError):
            pass


class Coordinator:
    """Run a study's remaining trials.

    Parameters
    ----------
    stores, study
        Open, and locked by the caller.
    n_workers : int
        Processes, one thread each.
    device : str
        For the workers.
    progress : StudyProgress
        Shows events.
    lock : int
        File descriptor of the study's lock, inherited by workers.
    launched : bool
        Whether ``mlflow run`` started us, so that its end is ours.
    timeout : float, optional
        Seconds after which no further epoch is started.
    until : int, optional
        Finished trials at which to stop; the study's target if None.
    """

    def __init__(
        self,
        stores: Stores,
        study: Study,
        *,
        n_workers: int,
        device: str,
        progress: StudyProgress,
        lock: int,
        launched: bool = False,
        timeout: float | None = None,
        until: int | None = None,
    ) -> None:
        self.stores, self.study, self.progress = stores, study, progress
        self.n_workers, self.device, self.lock = n_workers, device, lock
        self.until = study.target_trials if until is None else until
        self.workers: list[Worker] = []
        self._ready: list[Worker] = []
        self.events: queue.SimpleQueue[tuple[Worker, dict[str, Any] | None]] = queue.SimpleQueue()
        self.finished = len(study.finished())
        self.stopped_by: int | None = None
        self.timed_out = False
        self._deadline = None if timeout is None else time.monotonic() + timeout
        self._stopped_at = 0.0
        self._lost_trial = False
        self._errors: list[str] = []
        self._parent = os.getppid() if launched else None

    def run(self) -> bool:
        """Work until the target is met or somebody stops it.

        Returns
        -------
        bool
            True if the target was met, False if it was interrupted.

        Raises
        ------
        StudyError
            If three trials in a row end with the same error.
        """
        previous = {number: signal.signal(number, self._on_signal) for number in SIGNALS}
        try:
            while self._remaining() > 0 and self.stopped_by is None:
                self._run_workers()
                for line in reconcile(self.study):
                    self.progress.say(line)
                self.finished = self.progress.finished = len(self.study.finished())
        finally:
            self._kill()
            for number, handler in previous.items():
                signal.signal(number, handler)
        return self._remaining() <= 0

    def _run_workers(self) -> None:
        self._spawn()
        while self.workers:
            self._notice_lost_parent()
            self._notice_deadline()
            try:
                worker, event = self.events.get(timeout=POLL_SECONDS)
            except queue.Empty:
                continue
            if event is None:
                self._on_exit(worker)
            else:
                self._on_event(worker, event)
            self._recover_lost_trial()
            self._hand_out()
            self._spawn()

    def _remaining(self) -> int:
        return self.until - self.finished

    def _spawn(self) -> None:
        while self.stopped_by is None and len(self.workers) < min(self.n_workers, self._remaining()):
            worker = Worker(process=self._start_process())
            self.workers.append(worker)
            threading.Thread(target=self._listen, args=(worker,), daemon=True).start()

    def _start_process(self) -> subprocess.Popen[str]:
        uris = (self.stores.tracking_uri, self.stores.storage_uri, str(self.stores.home))
        kept = {name: value for name, value in os.environ.items() if name not in LAUNCHER_VARIABLES}
        packages = os.pathsep.join(filter(None, [str(Path(__file__).parents[2]), kept.get("PYTHONPATH", "")]))
        single = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "MLFLOW_DISABLE_TELEMETRY": "true"}
        with self.log_path.open("a") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "search.workers.worker", *uris, self.study.plan.study, self.device],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**kept, **single, "PYTHONPATH": packages},
                pass_fds=(self.lock,),
                start_new_session=True,
            )

    @property
    def log_path(self) -> Path:
        """What workers wrote to standard error."""
        path = self.stores.home / "logs" / f"{self.study.plan.study}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _listen(self, worker: Worker) -> None:
        output: IO[str] | None = worker.process.stdout
        assert output is not None
        try:
            for line in output:
                self.events.put((worker, json.loads(line)))
        except json.JSONDecodeError:
            worker.process.kill()
        finally:
            worker.process.wait()
            self.events.put((worker, None))

    def _on_event(self, worker: Worker, event: dict[str, Any]) -> None:
        kind = event["event"]
        self.progress.event(event)
        if kind == "started":
            worker.number = event["number"]
        if kind in ("finished", "reused", "pruned", "failed", "interrupted"):
            worker.busy, worker.number = False, None
        if kind == "finished":
            self.finished += 1
            self._errors.clear()
        if kind == "failed":
            self._count_error(event["error"])
        if kind in ("ready", "finished", "reused", "pruned", "failed"):
            self._ready.append(worker)

    def _hand_out(self) -> None:
        """Give trials to idle workers, one after the other has said which it got.

        Two that ask at the same moment can be given the same queued trial:
        SQLite has no row locks.
        """
        while self._ready and not any(worker.busy and worker.number is None for worker in self.workers):
            self._assign(self._ready.pop(0))

    def _assign(self, worker: Worker) -> None:
        busy = sum(other.busy for other in self.workers)
        if self.stopped_by is None and busy < self._remaining():
            worker.busy = True
            worker.order(RUN)
        else:
            worker.order(STOP)

    def _on_exit(self, worker: Worker) -> None:
        self.workers.remove(worker)
        self._ready = [other for other in self._ready if other is not worker]
        code = worker.process.returncode
        if (code == 0 and not worker.busy) or self.stopped_by is not None:
            return
        self.progress.say(f"a worker ended unasked with exit code {code}; its messages are in {self.log_path}")
        self._lost_trial = self._lost_trial or worker.busy
        self._count_error(f"worker exit code {code}, see {self.log_path}")

    def _recover_lost_trial(self) -> None:
        """Queue the trial of a dead worker again, once every living worker has said which trial it runs."""
        busy = [worker for worker in self.workers if worker.busy]
        if not self._lost_trial or any(worker.number is None for worker in busy):
            return
        self._lost_trial = False
        for line in reconcile(self.study, alive={worker.number for worker in busy if worker.number is not None}):
            self.progress.say(line)
        self.finished = self.progress.finished = len(self.study.finished())

    def _count_error(self, error: str) -> None:
        self._errors.append(re.sub(r"[0-9a-f]{8,}|[\d.]+(e[+-]?\d+)?", "#", error))
        alike = self._errors[-SAME_ERRORS_IN_A_ROW:] == self._errors[-1:] * SAME_ERRORS_IN_A_ROW
        if alike or len(self._errors) >= ERRORS_IN_A_ROW:
            raise StudyError(
                f"a study goes on unless {SAME_ERRORS_IN_A_ROW} trials in a row fail alike, or {ERRORS_IN_A_ROW} "
                f"in any way, got: {error}"
            )

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.stopped_by is None:
            self._stop(number)
            self.progress.say("stopping after the current epochs; once more stops at once")
        elif time.monotonic() - self._stopped_at > SECOND_SIGNAL_AFTER_SECONDS:
            for worker in self.workers:
                worker.process.kill()

    def _stop(self, number: int) -> None:
        self.stopped_by, self._stopped_at = number, time.monotonic()
        for worker in self.workers:
            worker.order(STOP)

    def _notice_lost_parent(self) -> None:
        """Stop when the ``mlflow run`` that started us is gone."""
        if self._parent is not None and self.stopped_by is None and os.getppid() != self._parent:
            self._stop(signal.SIGTERM)

    def _notice_deadline(self) -> None:
        if self._deadline is not None and self.stopped_by is None and time.monotonic() > self._deadline:
            self.timed_out = True
            self._stop(signal.SIGALRM)
            self.progress.say("time is up: stopping after the current epochs")

    def _kill(self) -> None:
        for worker in self.workers:
            worker.process.kill()
            worker.process.wait()
