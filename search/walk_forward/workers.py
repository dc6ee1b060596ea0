"""Jobs of a walk-forward: done in this process, or shared by worker processes."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

from model.baselines import BASELINES
from model.spec.spec import Spec
from pipeline.exceptions import StoreLostError, TrainingError
from search.walk_forward.forecast import Forecaster, Job, Outcome
from search.walk_forward.subject import Subject
from search.workers.pool import Event, Worker, WorkerPool, Workforce

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


class JobPool(WorkerPool):
    """Worker processes that do the jobs of one walk-forward.

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
        super().__init__("search.walk_forward.worker", study_name, workforce, f"{study_name}.walkforward.log")
        self._setup = write_setup(subject, years)

    def start(self) -> Worker:
        """Start one more worker, and say what is walked forward."""
        worker = super().start()
        worker.order(self._setup)
        return worker

    def run(self, jobs: Iterable[Job]) -> Results:
        """Do jobs, each by the next process that is free; in the order in which they end.

        Raises
        ------
        TrainingError
            If a job fails, or a process dies.
        StoreLostError
            If a process waited for a store in vain.
        """
        waiting, working = deque(jobs), dict[Worker, Job]()

        def give(worker: Worker) -> None:
            if waiting:
                working[worker] = waiting.popleft()
                worker.order(asdict(working[worker]))

        while len(self.workers) < min(self.workforce.n_workers, len(waiting)):
            self.start()
        for worker in self.workers:
            give(worker)
        while working:
            heard = self.next_event()
            assert heard is not None, "without a time limit something is heard"
            worker, event = heard
            if (event is None or event["event"] in ENDED) and worker in working:
                job = working.pop(worker)
                outcome = self._outcome(worker, job, event)
                give(worker)
                yield job, outcome

    def _outcome(self, worker: Worker, job: Job, event: Event | None) -> Outcome:
        if event is None:
            raise TrainingError(
                f"a worker must live until its job {job.name} is done, got one that ended with "
                f"{worker.process.returncode}; see {self.log_path}, and repeat the command: what is finished is kept"
            )
        if event["event"] == "store lost":
            raise StoreLostError(event["error"])
        if event["event"] == "failed":
            raise TrainingError(f"{job.name}: {event['error']}")
        return Outcome.from_dict(event)
