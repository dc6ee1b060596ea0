"""The coordinator: hands out one trial at a time to worker processes until the target is met."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Collection
from types import FrameType

from pipeline.exceptions import StudyError
from search.study.reconcile import reconcile
from search.study.study import Study
from search.workers.pool import Event, Worker, WorkerPool, Workforce
from search.workers.progress import StudyProgress
from search.workers.signals import handled_by
from search.workers.worker import RUN, STOP

SAME_ERRORS_IN_A_ROW = 3
ERRORS_IN_A_ROW = 10
SECOND_SIGNAL_AFTER_SECONDS = 2.0
POLL_SECONDS = 0.5


class Coordinator:
    """Run a study's remaining trials.

    Parameters
    ----------
    study : Study
        Open, and locked by the caller.
    workforce : Workforce
        Who works, and how long.
    progress : StudyProgress
        Shows events.
    until : int, optional
        Finished trials at which to stop; the study's target if None.
    """

    def __init__(
        self, study: Study, workforce: Workforce, progress: StudyProgress, *, until: int | None = None
    ) -> None:
        self.study, self.workforce, self.progress = study, workforce, progress
        self.until = study.target_trials if until is None else until
        name = study.plan.study
        self.pool = WorkerPool("search.workers.worker", name, workforce, f"{name}.log")
        self._busy: dict[Worker, int | None] = {}
        """Workers that were given a trial which has not ended, each with its number as soon as it has said it."""
        self._ready: list[Worker] = []
        self.finished = len(study.finished())
        self.stopped_by: int | None = None
        self.timed_out = False
        self._deadline = None if workforce.timeout is None else time.monotonic() + workforce.timeout
        self._stopped_at = 0.0
        self._lost_trial = False
        self._errors: list[str] = []
        self._parent = os.getppid() if workforce.launched else None

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
        with handled_by(self._on_signal), self.pool:
            while self._remaining() > 0 and self.stopped_by is None:
                self._run_workers()
                self._repair()
        return self._remaining() <= 0

    def _run_workers(self) -> None:
        self._start()
        while self.pool.workers:
            self._notice_end()
            heard = self.pool.next_event(POLL_SECONDS)
            if heard is None:
                continue
            worker, event = heard
            if event is None:
                self._on_exit(worker)
            else:
                self._on_event(worker, event)
            self._recover_lost_trial()
            self._hand_out()
            self._start()

    def _repair(self, alive: Collection[int] = ()) -> None:
        for line in reconcile(self.study, alive=alive):
            self.progress.say(line)
        self.finished = self.progress.finished = len(self.study.finished())

    def _remaining(self) -> int:
        return self.until - self.finished

    def _start(self) -> None:
        while self.stopped_by is None and len(self.pool.workers) < min(self.workforce.n_workers, self._remaining()):
            self.pool.start()

    def _on_event(self, worker: Worker, event: Event) -> None:
        kind = event["event"]
        self.progress.event(event)
        if kind == "started":
            self._busy[worker] = event["number"]
        if kind in ("finished", "reused", "pruned", "failed", "interrupted"):
            self._busy.pop(worker, None)
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
        while self._ready and None not in self._busy.values():
            worker = self._ready.pop(0)
            if self.stopped_by is None and len(self._busy) < self._remaining():
                self._busy[worker] = None
                worker.order(RUN)
            else:
                worker.order(STOP)

    def _on_exit(self, worker: Worker) -> None:
        self._ready = [other for other in self._ready if other is not worker]
        code, busy, log = worker.process.returncode, worker in self._busy, self.pool.log_path
        self._busy.pop(worker, None)
        if (code == 0 and not busy) or self.stopped_by is not None:
            return
        self.progress.say(f"a worker ended unasked with exit code {code}; its messages are in {log}")
        self._lost_trial = self._lost_trial or busy
        self._count_error(f"worker exit code {code}, see {log}")

    def _recover_lost_trial(self) -> None:
        """Queue the trial of a dead worker again, once every living worker has said which trial it runs."""
        alive = [number for number in self._busy.values() if number is not None]
        if self._lost_trial and len(alive) == len(self._busy):
            self._lost_trial = False
            self._repair(alive)

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
            self.pool.kill()

    def _stop(self, number: int) -> None:
        self.stopped_by, self._stopped_at = number, time.monotonic()
        for worker in self.pool.workers:
            worker.order(STOP)

    def _notice_end(self) -> None:
        """Stop when the ``mlflow run`` that started us is gone, or the time is up."""
        if self.stopped_by is not None:
            return
        if self._parent is not None and os.getppid() != self._parent:
            self._stop(signal.SIGTERM)
        elif self._deadline is not None and time.monotonic() > self._deadline:
            self.timed_out = True
            self._stop(signal.SIGALRM)
            self.progress.say("time is up: stopping after the current epochs")
