"""The next trial of a study: asked of the schedule, its machine known from the first moment, its spec never twice."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState

from model.spec.spec import Spec
from pipeline.exceptions import PatchscaleError
from search.space.ranks import SearchSpace
from search.study.draft import Draft
from search.study.heartbeat import HOST
from search.study.study import Study
from search.study.tried import draw_untried, tried
from search.tracking.whole_trial import TakenError, store_whole

RETRY_OF = "retry_of"
"""Attribute of a trial that repeats a lost one: the number of that."""
TRIED_IN_VAIN = 5
"""Draws of known specs in a row after which an unknown one is queued."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class NextTrial:
    """A trial that was asked for.

    Parameters
    ----------
    number, storage_id : int
        Its number in the study, and its id in the storage.
    spec_hash : str, optional
        Name of its spec; None if what was drawn makes none, which the trial itself will say.
    label : str
        Of its architecture; empty without a spec.
    """

    number: int
    storage_id: int
    spec_hash: str | None
    label: str = ""


class Proposer:
    """Asks the schedule of a study.

    Parameters
    ----------
    study : Study
        Held by the caller.
    """

    def __init__(self, study: Study) -> None:
        self.study, self.space = study, study.plan.space()
        self._in_vain = 0

    @property
    def is_exhausted(self) -> bool:
        """Whether every spec that can be drawn was tried."""
        most = self.space.n_specs
        return most is not None and len(tried(self.study.schedule)) >= most

    def ask(self, host: str) -> NextTrial:
        """Ask for a trial that will run on this machine.

        Where specs have an end and the sampler comes back to what was tried, another one is queued.
        """
        if self._in_vain >= TRIED_IN_VAIN and self.space.n_specs is not None:
            untried = draw_untried(self.study.plan, self.study.schedule)
            if untried is not None:
                self.study.schedule.enqueue_trial(untried)
        trial = ask(self.study.schedule, self.space.distributions(), host)
        spec_hash: str | None = None
        label = ""
        with suppress(PatchscaleError):
            spec = trial_spec(self.study, self.space, trial.params)
            spec_hash, label = spec.hash, spec.architecture.label
        return NextTrial(number=trial.number, storage_id=trial._trial_id, spec_hash=spec_hash, label=label)

    def move(self, trial: NextTrial, host: str) -> None:
        """Say that a trial will run on another machine than it was asked for."""
        self.study.schedule._storage.set_trial_user_attr(trial.storage_id, HOST, host)

    def reuse(self, trial: NextTrial) -> dict[str, Any] | None:
        """Give a trial the result of an earlier one of the same spec, and say so; None if there is no such."""
        if trial.spec_hash is None:
            return None
        event = reuse_result(self.study, trial.number, trial.storage_id, trial.spec_hash)
        self._in_vain = 0 if event is None else self._in_vain + 1
        return event


def ask(schedule: optuna.Study, distributions: Mapping[str, BaseDistribution], host: str = "") -> FrozenTrial:
    """Ask for the next trial that is queued, else for a new one.

    It is drawn first and then stored whole, so one that is RUNNING always says where, this machine if not said
    otherwise, and with which parameters.
    """
    host = host or socket.gethostname()
    while True:
        trials = schedule.get_trials(deepcopy=False)
        draft = Draft(schedule, trials, next_in_queue(trials), {HOST: host})
        trial = draft.draw(distributions)
        with suppress(TakenError):
            trial._trial_id = store_whole(schedule._storage, schedule._study_id, trial)
            return trial


def next_in_queue(trials: Sequence[FrozenTrial]) -> FrozenTrial | None:
    """First of the queued trials; one that repeats a lost trial stands where that stood, not at the end.

    Else a study that is short, or whose target is met soon, would end without the extreme that was lost.
    """
    repeats = {trial.number: trial.user_attrs.get(RETRY_OF) for trial in trials}

    def place(number: int) -> int:
        while (earlier := repeats.get(number)) is not None:
            number = earlier
        return number

    waiting = [trial for trial in trials if trial.state == TrialState.WAITING]
    return min(waiting, key=lambda trial: (place(trial.number), trial.number), default=None)


def trial_spec(study: Study, space: SearchSpace, params: Mapping[str, Any]) -> Spec:
    """Spec that a trial's parameters make in this study."""
    return study.plan.spec(space.decode(params), {name: params[name] for name in space.training})


def reuse_result(study: Study, number: int, storage_id: int, spec_hash: str) -> dict[str, Any] | None:
    """End a trial with the result of the finished one that has the same spec; None if there is none."""
    earlier = next((each for each in study.finished() if each.user_attrs.get("spec_hash") == spec_hash), None)
    if earlier is None:
        return None
    for name, value in {"end": "reused", "reuses": earlier.number}.items():
        study.schedule._storage.set_trial_user_attr(storage_id, name, value)
    study.schedule.tell(number, earlier.value)
    return {"event": "reused", "number": number, "earlier": earlier.number}
