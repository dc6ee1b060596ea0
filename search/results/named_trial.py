"""The trial that a user names: a study's best one, one of its numbers, or a run id, whole or its first digits."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pipeline.exceptions import InputError
from search.results.trial_runs import RecordedTrial, recorded_trials, whole_record
from search.study.life_cycle import lost_schedule
from search.study.study import Study, load_study
from search.study.study_names import study_names, unknown_study
from search.tracking.reader import find_experiments, find_runs
from search.tracking.stores import Stores, open_storage, open_tracking
from search.tracking.tags import FINISHED, REASON, ROLE, STUDY, TRIAL_NUMBER, TRIAL_ROLE

if TYPE_CHECKING:
    from mlflow.entities import Run

RUN_ID = re.compile("[0-9a-f]{4,32}")


def find_trial(stores: Stores, what: str, number: int | None = None) -> tuple[Study, int | None]:
    """Find the study, and the number of the trial if one was named.

    Parameters
    ----------
    stores : Stores
        Where studies are.
    what : str
        Name of a study, or run id of a trial; its first digits are enough where they are of one trial alone.
    number : int, optional
        Of the trial, beside a study's name.

    Raises
    ------
    InputError
        If there is no such study or trial, or several.
    """
    storage = open_storage(stores)
    if what in study_names(storage):
        return load_study(stores, what, storage=storage), number
    if not RUN_ID.fullmatch(what):
        raise lost_schedule(open_tracking(stores), what) or unknown_study(storage, what)
    run = named_run(stores, what)
    own = int(run.data.tags[TRIAL_NUMBER])
    if number not in (None, own):
        raise InputError(f"a run id names its trial, got {what} of trial {own} and --trial {number}; leave one out")
    return load_study(stores, run.data.tags[STUDY]), own


def named_run(stores: Stores, digits: str) -> Run:
    """Find the trial's run whose id begins with these digits.

    Raises
    ------
    InputError
        If there is none, several, or if it is no trial of a study.
    """
    client = open_tracking(stores)
    found = find_runs(client, find_experiments(client), f"attributes.run_id LIKE '{digits}%'")
    if not found:
        raise InputError(
            f"a trial must be a run id, its first digits, or a study's name, got {digits!r}, which no run begins with; "
            "see patchscale status"
        )
    if len(found) > 1:
        runs = ", ".join(sorted(run.info.run_id[: len(digits) + 4] for run in found)[:8])
        raise InputError(f"first digits must be of one run alone, got {digits} of {len(found)} ({runs}); give more")
    tags = found[0].data.tags
    if tags.get(ROLE) != TRIAL_ROLE:
        role = tags.get(ROLE, "foreign")
        raise InputError(f"a trial must be named by its own run, got {digits} of a {role} run; see patchscale status")
    return found[0]


def choose_finished(study: Study, number: int | None, purpose: str) -> tuple[RecordedTrial, int]:
    """Take the finished trial of the lowest validation loss, or the one of this number; and say of how many.

    Parameters
    ----------
    study : Study
        Open.
    number : int, optional
        Of the trial.
    purpose : str
        What needs it: ``a version is made of a finished trial``.

    Raises
    ------
    InputError
        If there is none, it did not finish, or its record is not that of its spec.
    StoreError
        If the best one is asked for and the run of a finished trial was deleted: the best of the others is another.
    """
    recorded = whole_record(study) if number is None else recorded_trials(study)
    usable = [each for each in recorded if _problem(each) is None]
    if number is not None:
        return _of_number(study, recorded, number, purpose), len(usable)
    if not usable:
        raise InputError(f"{purpose}, study {study.plan.study} has none; run it first")
    return min(usable, key=lambda each: (each.loss, each.number)), len(usable)


def _of_number(study: Study, recorded: list[RecordedTrial], number: int, purpose: str) -> RecordedTrial:
    found = [each for each in recorded if each.number == number]
    if not found:
        numbers = [each.number for each in recorded]
        span = f"{numbers[0]} to {numbers[-1]}" if numbers else "none"
        raise InputError(f"trial must be one of study {study.plan.study} ({span}), got {number}; see patchscale audit")
    problems = [_problem(each) for each in found]
    if None not in problems:
        raise InputError(
            f"{purpose}, got {found[-1].name} which {problems[-1]}; leave out --trial for the best finished one"
        )
    return found[problems.index(None)]


def _problem(trial: RecordedTrial) -> str | None:
    """Why a trial can't be taken; None if it can."""
    status, reason = trial.run.info.status, trial.run.data.tags.get(REASON, "unknown")
    if status != FINISHED:
        return f"is {status} ({reason})"
    if trial.problem or trial.spec is None:
        return f"has a record that is not trusted ({trial.problem})"
    if trial.loss is None or "best/epoch" not in trial.run.data.metrics:
        return "has no validation loss or no best epoch in its record"
    return None
