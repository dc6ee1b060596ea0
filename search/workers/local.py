"""The engine of this machine: hands are worker processes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from search.workers.engine import Event, Hand
from search.workers.pool import Worker, WorkerPool, Workforce
from search.workers.worker import RUN, STOP


class LocalEngine:
    """Worker processes that run the trials of a study.

    Parameters
    ----------
    study_name : str
        Whose trials they run.
    workforce : Workforce
        Where they work.
    """

    def __init__(self, study_name: str, workforce: Workforce) -> None:
        self.pool = WorkerPool("search.workers.worker", study_name, workforce, f"{study_name}.log")

    @property
    def hands(self) -> Sequence[Hand]:
        """Processes that have started and not ended."""
        return self.pool.workers

    def __enter__(self) -> Self:
        self.pool.__enter__()
        return self

    def __exit__(self, *cause: object) -> None:
        self.pool.__exit__(*cause)

    def start(self, count: int) -> None:
        """Start so many processes more."""
        for _ in range(count):
            self.pool.start()

    def run(self, hand: Hand, trial: int) -> None:
        """Order a trial from a process; a dead one is noticed by its end."""
        _worker(hand).order({RUN: trial})

    def dismiss(self, hand: Hand) -> None:
        """Let a process end."""
        _worker(hand).order(STOP)

    def events(self, timeout: float) -> list[tuple[Hand, Event]]:
        """Wait for what a process says next; its end is said for it."""
        heard = self.pool.next_event(timeout)
        if heard is None:
            return []
        worker, event = heard
        return [(worker, self._end(worker) if event is None else event)]

    def stop(self) -> None:
        """Tell every process to stop after its epoch."""
        for worker in self.pool.workers:
            worker.order(STOP)

    def kill(self) -> None:
        """Kill every process."""
        self.pool.kill()

    def _end(self, worker: Worker) -> Event:
        code, log = worker.process.returncode, self.pool.log_path
        text = f"a worker ended unasked with exit code {code}; its messages are in {log}"
        error = f"worker exit code {code}, see {log}"
        return {"event": "lost" if code else "left", "error": error, "text": text, "code": code}


def _worker(hand: Hand) -> Worker:
    assert isinstance(hand, Worker)
    return hand
