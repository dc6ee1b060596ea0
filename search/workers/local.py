"""An engine of workers; those of this machine are processes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from search.workers.engine import Event, Hand
from search.workers.pool import Pool, Worker, WorkerPool, Workforce
from search.workers.worker import RUN, STOP


class PoolEngine:
    """Workers that run the trials of a study.

    Parameters
    ----------
    pool : Pool
        Of what does as :mod:`search.workers.worker` does.
    """

    def __init__(self, pool: Pool) -> None:
        self.pool = pool

    @property
    def hands(self) -> Sequence[Hand]:
        """Workers that have started and not ended."""
        return self.pool.workers

    def __enter__(self) -> Self:
        self.pool.__enter__()
        return self

    def __exit__(self, *cause: object) -> None:
        self.pool.__exit__(*cause)

    def start(self, count: int) -> None:
        """Start so many more."""
        for _ in range(count):
            self.pool.start()

    def run(self, hand: Hand, trial: int) -> None:
        """Order a trial; a dead worker is noticed by its end."""
        _worker(hand).order({RUN: trial})

    def dismiss(self, hand: Hand) -> None:
        """Let a worker end."""
        _worker(hand).order(STOP)

    def events(self, timeout: float) -> list[tuple[Hand, Event]]:
        """Wait for what a worker says next; its end is said for it."""
        heard = self.pool.next_event(timeout)
        if heard is None:
            return []
        worker, event = heard
        return [(worker, self.pool.ended(worker) if event is None else event)]

    def stop(self) -> None:
        """Tell every worker to stop after its epoch."""
        for worker in self.pool.workers:
            worker.order(STOP)

    def kill(self) -> None:
        """Kill every worker."""
        self.pool.kill()


class LocalEngine(PoolEngine):
    """Worker processes that run the trials of a study.

    Parameters
    ----------
    study_name : str
        Whose trials they run.
    workforce : Workforce
        Where they work.
    """

    pool: WorkerPool

    def __init__(self, study_name: str, workforce: Workforce) -> None:
        super().__init__(WorkerPool("search.workers.worker", study_name, workforce, f"{study_name}.log"))


def _worker(hand: Hand) -> Worker:
    assert isinstance(hand, Worker)
    return hand
