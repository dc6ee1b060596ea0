"""Jobs of a walk-forward: done in this process, or shared by worker processes."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any, Self

from model.baselines import BASELINES
from model.spec.spec import Spec
from pipeline.exceptions import StoreLostError, TrainingError
from search.folds.forecast import Forecaster, Job, Outcome
from search.walk_forward.subject import Subject
from search.workers.engines import make_pool
from search.workers.pool import Event, Worker, Workforce

Results = Iterator[tuple[Job, Outcome]]
ENDED = ("done", "failed", "store lost")
"""Events that end a job; a worker also says that it is ready, or waits for a store."""


def run_here(forecaster: Forecaster, jobs: Iterable[Job]) -> Results:
    """Do jobs one after another in this process."""
    for job in jobs:
        yield job, forecaster.run(job)


def write_setup(subject: Subject, years: tuple[int, int]) -> dict[str, Any]:
    """Say what is walked forward, for JSON: the inverse of :func:`read_setup`."""
    spec = None if subject.spec is None else subject.spec.params()
    baseline = None if subject.baseline is None else subject.baseline.name
    return {"name": subject.name, "spec": spec, "baseline": baseline, "years": years}


def read_setup(held: dict[str, Any]) -> tuple[Subject, tuple[int, int]]:
    """Read what :func:`write_setup` wrote."""
    spec = None if held["spec"] is None else Spec.from_params(held["spec"])
    baseline = None if held["baseline"] is None else BASELINES[held["baseline"]]
    first, last = held["years"]
    return Subject(name=held["name"], spec=spec, baseline=baseline), (first, last)


class JobPool:
    """Workers that do the jobs of one walk-forward, inside a ``with``.

    Parameters
    ----------
    study_name : str
        Whose days are taken.
    workforce : Workforce
        Who works.
    subject, years
        What is walked forward.
    """

    def __init__(self, study_name: str, workforce: Workforce, subject: Subject, years: tuple[int, int]) -> None:
        self.workforce = workforce
        self.pool = make_pool("search.walk_forward.worker", study_name, workforce, f"{study_name}.walkforward.log")
        self._setup = write_setup(subject, years)

    def __enter__(self) -> Self:
        self.pool.__enter__()
        return self

    def __exit__(self, *cause: object) -> None:
        self.pool.__exit__(*cause)

    @property
    def workers(self) -> Sequence[Worker]:
        """Those that have started and not ended."""
        return self.pool.workers

    def start(self) -> Worker:
        """Start one more worker, and say what is walked forward."""
        worker = self.pool.start()
        worker.order(self._setup)
        return worker

    def run(self, jobs: Iterable[Job]) -> Results:
        """Do jobs, each by the next worker that is free; in the order in which they end.

        Raises
        ------
        TrainingError
            If a job fails, or those that were given it end, as many as the pool gives it.
        StoreLostError
            If a worker waited for a store in vain.
        """
        waiting, working, taken = deque(jobs), dict[Worker, Job](), Counter[Job]()
        while waiting or working:
            self._hand_out(waiting, working, taken)
            heard = self.pool.next_event()
            assert heard is not None, "without a time limit something is heard"
            worker, event = heard
            if worker not in working or (event is not None and event["event"] not in ENDED):
                continue
            job = working.pop(worker)
            if event is None and taken[job] < self.pool.chances:
                waiting.append(job)
                continue
            outcome = self._outcome(worker, job, event)
            self._hand_out(waiting, working, taken)  # who is free goes on while the caller keeps what was found
            yield job, outcome

    def _hand_out(self, waiting: deque[Job], working: dict[Worker, Job], taken: Counter[Job]) -> None:
        """Give what waits to workers without a job, then to new ones, as far as there may be more."""
        free = deque(worker for worker in self.workers if worker not in working)
        while waiting and (free or len(self.workers) < self.workforce.n_workers):
            worker = free.popleft() if free else self.start()
            working[worker] = job = waiting.popleft()
            taken[job] += 1
            worker.order(asdict(job))

    def _outcome(self, worker: Worker, job: Job, event: Event | None) -> Outcome:
        if event is None:
            raise TrainingError(
                f"a worker must live until its job {job.name} is done, got one that ended with "
                f"{self.pool.ended(worker)['how']}, and repeat the command: what is finished is kept"
            )
        if event["event"] == "store lost":
            raise StoreLostError(event["error"])
        if event["event"] == "failed":
            raise TrainingError(f"{job.name}: {event['error']}")
        return Outcome.from_dict(event)
