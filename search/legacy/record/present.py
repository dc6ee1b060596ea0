"""What the record already holds of legacy trials, so that nothing is imported twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from search.legacy.record.runs import BEST, FINGERPRINT, LEGACY, ORIGIN, SOURCE, START
from search.legacy.record.twins import Twins, known_run
from search.legacy.recover.trial import LegacyTrial
from search.tracking.reader import find_experiments, find_runs, matching
from search.tracking.tags import LEGACY_STUDY_ROLE, PARENT, REASON, ROLE

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

UNFINISHED = "unfinished"
ALSO = f"{FINGERPRINT}."


@dataclass(kw_only=True, slots=True)
class Present:
    """Legacy runs in the record.

    Parameters
    ----------
    by_fingerprint : dict
        Trial runs, by the trial's fingerprint.
    by_start : dict
        Trial runs of logs, by the digest of their start line.
    parents : dict
        Parent runs by id.
    twins : Twins
        Trial runs as another file's trials are compared with them.
    results : dict
        For each experiment, how many of its runs have which ``best/…`` metric.
    """

    by_fingerprint: dict[str, Any] = field(default_factory=dict)
    by_start: dict[str, list[Any]] = field(default_factory=dict)
    parents: dict[str, Any] = field(default_factory=dict)
    twins: Twins = field(default_factory=Twins)
    results: dict[str, Counter[str]] = field(default_factory=dict)

    def find(self, trial: LegacyTrial) -> tuple[Any, bool]:
        """Find a trial's run, and say whether it is to be replaced.

        A run that was interrupted while it was written is replaced; so is the unfinished run of a
        log's trial that has finished since. An unfinished trial whose finished one is there is present.
        """
        run = self.by_fingerprint.get(trial.fingerprint)
        if run is not None:
            return run, run.info.status == "RUNNING"
        same_start = self.by_start.get(trial.start, []) if trial.start else []
        if same_start and trial.outcome.reason.startswith(UNFINISHED):
            return same_start[0], False
        unfinished = [run for run in same_start if run.data.tags.get(REASON, "").startswith(UNFINISHED)]
        if not unfinished:
            return None, False
        same_start.remove(unfinished[0])
        return unfinished[0], True

    def count(self, experiment_id: str, metrics: Iterable[str]) -> None:
        """Count the results of a run."""
        self.results.setdefault(experiment_id, Counter()).update(name for name in metrics if name.startswith(BEST))

    def names(self) -> set[str]:
        """Names of the imported studies."""
        return {run.info.run_name for run in self.parents.values()}

    def parent(self, runs: Sequence[Any], source: str, experiment_id: str) -> Any:
        """Find the parent run that a file's trials have or had; None if there is none."""
        ids = [run.data.tags.get(PARENT) for run in runs if run.info.experiment_id == experiment_id]
        adopted = [self.parents[each] for each in ids if each in self.parents]
        own = [run for run in self.parents.values() if run.data.tags.get(SOURCE) == source]
        return next(iter(adopted + own), None)


def look_up(client: MlflowClient) -> Present:
    """Read every legacy run of the record."""
    present = Present()
    for run in legacy_runs(client):
        tags = run.data.tags
        if tags.get(ROLE) == LEGACY_STUDY_ROLE:
            present.parents[run.info.run_id] = run
        elif FINGERPRINT in tags:
            for name in (name for name in tags if name == FINGERPRINT or name.startswith(ALSO)):
                present.by_fingerprint[tags[name]] = run
            if START in tags:
                present.by_start.setdefault(tags[START], []).append(run)
            present.twins.add(known_run(run))
            present.count(run.info.experiment_id, run.data.metrics)
    return present


def legacy_runs(client: MlflowClient) -> list[Run]:
    """Every legacy run that was not deleted."""
    query = matching({ORIGIN: LEGACY})
    return find_runs(client, find_experiments(client, query), query)
