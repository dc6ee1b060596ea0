"""Audit: what a study tested, what it lacks, and whether its two stores say the same."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from model.spec.architecture import Architecture
from model.spec.spec import Spec
from search.audit.agreement import disagreements
from search.results.trial_runs import RecordedTrial, recorded_trials
from search.results.weights import is_lost, weights_in_words
from search.space.axes import Axes
from search.space.extremes import extreme_axes, extremes
from search.space.grid import Grid
from search.space.untested import axis_counts, ends_in_words, find_gaps
from search.study.plan import Plan
from search.study.study import Study
from search.tracking.artifacts import CHECKPOINT, PREDICTIONS, is_kept
from search.tracking.tags import INVALID


@dataclass(frozen=True, kw_only=True, slots=True)
class Audit:
    """What a study holds and lacks; what was tested comes from the record alone.

    Parameters
    ----------
    study : str
        Name.
    finished, target : int
        Trials that count towards the target, and the target.
    values : dict
        For each axis, its values in the grid with the number of finished trials at each.
    extremes : dict
        Label and description of each extreme of the grid, and whether it was tested.
    not_in_grid : dict
        For each axis, standard values between the grid's limits that no architecture of it has.
    duplicates, invalid, disagreements : tuple of str
        In words: trials of an equal spec, records that do not give back their spec, and
        trials about which the stores differ.
    record_schemas : dict
        By which schema the trials were recorded, with the number of them.
    lost, weights_lost : tuple of str
        Finished trials whose predictions are gone, and those whose weights are though nobody let them go, in words.
    weights : str
        Whose weights are kept, and of how many trials they were let go on purpose.
    failed, interrupted : int
        Trials that failed, and that wait to be run again.
    gaps : tuple of Architecture
        Few architectures that would test everything untested.
    """

    study: str
    finished: int
    target: int
    values: dict[str, dict[int, int]]
    extremes: dict[str, bool]
    not_in_grid: dict[str, list[int]]
    duplicates: tuple[str, ...]
    invalid: tuple[str, ...]
    disagreements: tuple[str, ...]
    record_schemas: dict[int, int]
    failed: int
    interrupted: int
    gaps: tuple[Architecture, ...]
    lost: tuple[str, ...] = ()
    weights_lost: tuple[str, ...] = ()
    weights: str = ""

    @property
    def missing(self) -> list[str]:
        """What a whole study would not lack, one line each; empty if it is whole."""
        lines = [f"{self.finished} of {self.target} trials finished"] if self.finished < self.target else []
        lines += [f"extreme missing: {name}" for name, tested in self.extremes.items() if not tested]
        for axis, counts in self.values.items():
            untested = [str(value) for value, count in counts.items() if count == 0]
            lines += [f"{axis} not tested: {', '.join(untested)}"] if untested else []
        lines += [f"same spec more than once: {line}" for line in self.duplicates]
        lines += [f"record does not round-trip: {line}" for line in self.invalid]
        lines += [f"evidence is gone: {line}" for line in self.lost]
        lines += [f"weights are gone that nobody let go: {line}" for line in self.weights_lost]
        return lines + [f"stores disagree: {line}" for line in self.disagreements]

    def to_dict(self) -> dict[str, Any]:
        """Return the form that ``patchscale audit --json`` prints."""
        found = {"study": self.study, "whole": not self.missing, "missing": self.missing, **asdict(self)}
        return {**found, "gaps": [architecture.label for architecture in self.gaps]}


def audit_study(study: Study, *, running: bool = False, recorded: list[RecordedTrial] | None = None) -> Audit:
    """Read both stores and say what is there.

    Parameters
    ----------
    study : Study
        To look at; nothing is changed.
    running : bool
        Whether somebody works on it, so that a trial may be between the two stores.
    recorded : list of RecordedTrial, optional
        The runs of its trials, if they were read already.
    """
    schedule = study.schedule.get_trials(deepcopy=False)
    recorded = recorded_trials(study) if recorded is None else recorded
    grid = study.plan.grid()
    tested = tested_architectures(study, recorded)
    return Audit(
        study=study.plan.study,
        finished=len(study.finished()),
        target=study.target_trials,
        values=_values(study, tested),
        extremes={} if study.is_bare else {_name(grid, extreme): extreme in tested for extreme in extremes(grid)},
        not_in_grid=_not_in_grid(grid),
        duplicates=tuple(_duplicates(recorded)),
        invalid=tuple(_invalid(study, recorded)),
        disagreements=tuple(disagreements(schedule, recorded, running=running)),
        record_schemas=dict(sorted(Counter(t.schema for t in recorded if t.schema is not None).items())),
        failed=sum(trial.user_attrs.get("end") == "failed" for trial in schedule),
        interrupted=len(waiting_retries(schedule, running=running)),
        gaps=() if study.is_bare else tuple(find_gaps(grid, tested)),
        lost=tuple(
            f"{PREDICTIONS} of {trial.name}"
            for trial in recorded
            if trial.finished and is_kept(study.client, trial.run, PREDICTIONS) is False
        ),
        weights_lost=tuple(
            f"{CHECKPOINT} of {trial.name}" for trial in recorded if trial.finished and is_lost(study.client, trial.run)
        ),
        weights=weights_in_words(study, recorded),
    )


def _values(study: Study, tested: Collection[Architecture]) -> dict[str, dict[int, int]]:
    """Count the trials at each value of the grid, or of a bare study at those that it has."""
    counted = axis_counts(study.plan.grid(), tested)
    if not study.is_bare:
        return counted
    return {axis: {value: count for value, count in counts.items() if count} for axis, counts in counted.items()}


def tested_architectures(study: Study, recorded: list[RecordedTrial]) -> list[Architecture]:
    """Architecture of every finished trial whose record can be trusted, one entry a trial."""
    by_label = {a.label: a for a in study.plan.grid().architectures}
    specs = [t.spec for t in recorded if t.finished and not t.problem and t.spec is not None]
    return [by_label[spec.architecture.label] for spec in specs if not _differences(study.plan, by_label, spec)]


def waiting_retries(schedule: list[FrozenTrial], *, running: bool) -> list[FrozenTrial]:
    """Interrupted trials that have not been run again: queued, not yet queued, or left behind by a crash."""
    retried = {trial.user_attrs.get("retry_of") for trial in schedule}
    queued = [t for t in schedule if t.state == TrialState.WAITING and "retry_of" in t.user_attrs]
    closed = [t for t in schedule if t.user_attrs.get("end") == "interrupted" and t.number not in retried]
    left = [t for t in schedule if t.state == TrialState.RUNNING and not running]
    return queued + closed + left


def _name(grid: Grid, extreme: Architecture) -> str:
    ends = ends_in_words(grid, extreme)
    return f"{extreme.label} ({ends})" if ends else extreme.label


def _not_in_grid(grid: Grid) -> dict[str, list[int]]:
    """Values that a reader would expect in the grid and that it lacks.

    On an axis that the user chose every value is expected; on a standard one those between the grid's limits.
    """
    standard = Axes().of(grid.budget)
    lacking = {}
    for axis in extreme_axes(grid):
        asked = getattr(grid.axes, axis)
        held = {getattr(a, axis) for a in grid.architectures}
        inside = asked if asked != getattr(standard, axis) else [v for v in asked if min(held) < v < max(held)]
        lacking[axis] = [value for value in inside if value not in held]
    return {axis: absent for axis, absent in lacking.items() if absent}


def _duplicates(recorded: list[RecordedTrial]) -> list[str]:
    by_spec = defaultdict(list)
    for trial in recorded:
        if trial.finished and trial.spec is not None:
            by_spec[trial.spec.hash].append(trial)
    return [
        f"{same[0].run.data.params['architecture']} in trials {', '.join(str(trial.number) for trial in same)}"
        for same in by_spec.values()
        if len(same) > 1
    ]


def _invalid(study: Study, recorded: list[RecordedTrial]) -> list[str]:
    """Say what is wrong with records that were marked invalid, or are finished and not of this study."""
    lines, labels = [], {a.label for a in study.plan.grid().architectures}
    for trial in recorded:
        problem = trial.problem.removeprefix(f"{INVALID}: ")
        if not problem and trial.finished and trial.spec is not None:
            problem = _differences(study.plan, labels, trial.spec)
        lines += [f"{trial.name}: {problem}"] if problem else []
    return lines


def _differences(plan: Plan, labels: Collection[str], spec: Spec) -> str:
    """Say where a spec is not one of the study's, whose grid has these labels; empty if it is."""
    different = [
        name
        for name in ("data", "target", "split", "budget", "tolerance", "seed")
        if getattr(spec, name) != getattr(plan, name)
    ]
    if spec.architecture.label not in labels:
        different.append("grid")
    return f"not of this study, other {', '.join(different)}" if different else ""
