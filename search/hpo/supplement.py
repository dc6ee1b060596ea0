"""Supplement: queue exactly what a study lacks, a handful of trials, and run them."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from optuna.trial import TrialState

from model.spec.architecture import Architecture
from search.audit.audit import tested_architectures, waiting_retries
from search.hpo.execute import work_on_study
from search.results.trial_runs import recorded_trials
from search.space.untested import find_gaps, find_wanted, read_where
from search.study.reconcile import FIXED_PARAMS, reconcile
from search.study.request import AUTO
from search.study.restore import restore
from search.study.study import KEEP, TARGET_TRIALS, Study, load_study, queue_architectures
from search.tracking.lease import WAIT, is_held, refuse_if_held, study_lease
from search.tracking.stores import Stores
from search.workers.engines import EngineOptions, connected, make_workforce, require_engine
from search.workers.signals import Signals

if TYPE_CHECKING:
    from rich.console import Console

FORCED = "supplement"


@dataclass(frozen=True, kw_only=True, slots=True)
class Shortfall:
    """What a study lacks.

    Parameters
    ----------
    missing : tuple of Architecture
        Few that would test everything untested, or what was wanted.
    coming : tuple of Architecture
        Of trials that are queued or interrupted, and that will be run anyway.
    new : tuple of Architecture
        To be queued: what would still be missing when those have run.
    """

    missing: tuple[Architecture, ...]
    coming: tuple[Architecture, ...]
    new: tuple[Architecture, ...]


def find_shortfall(study: Study, where: Sequence[str] = (), *, running: bool = False) -> Shortfall:
    """Compare the record with the grid, or with what the user wants.

    Parameters
    ----------
    study : Study
        To look at; nothing is changed.
    where : sequence of str
        ``axis=value[,axis=value]``; a trial that has the values is wanted for each. Without any,
        every extreme and every value of every axis is.
    running : bool
        Whether somebody works on the study, so that its RUNNING trials are alive.
    """
    tested = tested_architectures(study, recorded_trials(study))
    coming = _coming(study, running=running)
    return Shortfall(
        missing=tuple(_lacking(study, tested, where)),
        coming=tuple(coming),
        new=tuple(_lacking(study, [*tested, *coming], where)),
    )


def run_supplement(
    stores: Stores, name: str, where: Sequence[str], *, asked: EngineOptions, console: Console, keep: str = AUTO
) -> int:
    """Queue what a study lacks, raise its target by as many trials, and run them.

    Returns
    -------
    int
        Exit code: 0 if nothing is missing any more, 1 if something still is, 128 + signal number if interrupted.

    Raises
    ------
    PatchscaleError
        If there is no such study, somebody works on it, or its trials keep failing.
    """
    require_engine(asked)
    refuse_if_held(stores, name)
    load_study(stores, name, repair=True)
    with Signals() as signals, study_lease(stores, name, wait=WAIT) as lease, connected(asked, stores):
        workforce = make_workforce(asked, stores, lease)
        study, restored = restore(load_study(stores, name, repair=True))
        if keep != AUTO:
            study.schedule.set_user_attr(KEEP, keep)
            study.say_settings()
        for line in [*restored, *reconcile(study)]:
            console.print(f"reconciled: {line}", markup=False)
        shortfall = find_shortfall(study, where)
        for line in shortfall_in_words(study, shortfall):
            console.print(line, markup=False)
        if not shortfall.missing:
            return 0
        until = queue_shortfall(study, shortfall)
        ending = work_on_study(study, workforce, console, signals, until=until)
        left = find_shortfall(study, where).missing
    console.print(f"still missing: {_labels(left)}" if left else "nothing is missing any more", markup=False)
    if not ending.complete:
        return 128 + (ending.signal or signal.SIGINT)
    return 1 if left else 0


def dry_run_in_words(stores: Stores, name: str, where: Sequence[str]) -> list[str]:
    """Say what :func:`run_supplement` would queue, one line each."""
    study = load_study(stores, name)
    return shortfall_in_words(study, find_shortfall(study, where, running=is_held(stores, name)))


def queue_shortfall(study: Study, shortfall: Shortfall) -> int:
    """Queue the new trials and raise the target by their number.

    The target also has room for everything that was queued before: a study that
    was complete with extremes still waiting would otherwise leave them there.

    Returns
    -------
    int
        Finished trials at which everything queued has run.
    """
    space = study.plan.space()
    queue_architectures(study.schedule, space, shortfall.new, forced=FORCED)
    waiting = study.schedule.get_trials(deepcopy=False, states=(TrialState.WAITING,))
    until = len(study.finished()) + len(waiting)
    study.schedule.set_user_attr(TARGET_TRIALS, max(study.target_trials + len(shortfall.new), until))
    return until


def shortfall_in_words(study: Study, shortfall: Shortfall) -> list[str]:
    """Say what is missing, and what of it would be queued; one line each."""
    if not shortfall.missing:
        return [f"study {study.plan.study}: nothing is missing"]
    lines = []
    if shortfall.coming:
        lines.append(f"study {study.plan.study}: {len(shortfall.coming)} queued already: {_labels(shortfall.coming)}")
    lines.append(f"study {study.plan.study}: {len(shortfall.new)} to queue: {_labels(shortfall.new) or 'nothing more'}")
    return lines


def _lacking(study: Study, tested: Sequence[Architecture], where: Sequence[str]) -> list[Architecture]:
    grid = study.plan.grid()
    if not where:
        return [] if study.is_bare else find_gaps(grid, tested)
    chosen: list[Architecture] = []
    for text in where:
        found = find_wanted(grid, [*tested, *chosen], read_where(text))
        chosen += [found] if found is not None else []
    return chosen


def _coming(study: Study, *, running: bool) -> list[Architecture]:
    """Architectures of trials that will still be run, in the order of the schedule."""
    space = study.plan.space()
    schedule = study.schedule.get_trials(deepcopy=False)
    waiting = [t for t in schedule if t.state == TrialState.WAITING or (running and t.state == TrialState.RUNNING)]
    retries = [t for t in waiting_retries(schedule, running=running) if t not in waiting]
    found = []
    for trial in (*waiting, *retries):
        params = {**trial.system_attrs.get(FIXED_PARAMS, {}), **trial.params}
        if space.distributions().keys() <= params.keys():
            found.append(space.decode(params))
    return found


def _labels(architectures: Sequence[Architecture]) -> str:
    return ", ".join(a.label for a in architectures)
