"""The next trial of a study: asked of the schedule, its machine known from the first moment, its spec never twice."""

from __future__ import annotations

import socket
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.trial import TrialState

from model.spec.spec import Spec
from pipeline.exceptions import PatchscaleError
from search.space.ranks import TRAINING, SearchSpace
from search.study.heartbeat import HOST
from search.study.study import Study


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class NextTrial:
    """A trial that was asked for.

    Parameters
    ----------
    number, storage_id : int
        Its number in the study, and its id in the storage.
    spec_hash : str, optional
        Name of its spec; None if what was drawn makes none, which the trial itself will say.
    """

    number: int
    storage_id: int
    spec_hash: str | None


class Proposer:
    """Asks the schedule of a study.

    Parameters
    ----------
    study : Study
        Held by the caller.
    """

    def __init__(self, study: Study) -> None:
        self.study, self.space = study, study.plan.space()

    def ask(self, host: str) -> NextTrial:
        """Ask for a trial that will run on this machine."""
        trial = ask(self.study.schedule, self.space.distributions(), host)
        try:
            spec_hash: str | None = trial_spec(self.study, self.space, trial.params).hash
        except PatchscaleError:
            spec_hash = None
        return NextTrial(number=trial.number, storage_id=trial._trial_id, spec_hash=spec_hash)

    def move(self, trial: NextTrial, host: str) -> None:
        """Say that a trial will run on another machine than it was asked for."""
        self.study.schedule._storage.set_trial_user_attr(trial.storage_id, HOST, host)

    def reuse(self, trial: NextTrial) -> dict[str, Any] | None:
        """Give a trial the result of an earlier one of the same spec, and say so; None if there is no such."""
        if trial.spec_hash is None:
            return None
        return reuse_result(self.study, trial.number, trial.storage_id, trial.spec_hash)


def ask(schedule: optuna.Study, distributions: Mapping[str, BaseDistribution], host: str = "") -> optuna.Trial:
    """Ask for the next trial that is queued, else for a new one.

    Where it will run, this machine if not said otherwise, is written before or with its state: a trial that is RUNNING
    always says where.
    """
    storage, host = schedule._storage, host or socket.gethostname()
    waiting = schedule.get_trials(deepcopy=False, states=(TrialState.WAITING,))
    if waiting:
        storage.set_trial_user_attr(waiting[0]._trial_id, HOST, host)
        with warnings.catch_warnings():  # heartbeats need Optuna's own loop, for which heartbeat.beating stands in
            warnings.filterwarnings("ignore", message="Heartbeat of storage", category=UserWarning)
            return schedule.ask(dict(distributions))
    schedule._thread_local.cached_all_trials = None
    born = optuna.trial.create_trial(state=TrialState.RUNNING, user_attrs={HOST: host})
    trial = optuna.Trial(schedule, storage.create_new_trial(schedule._study_id, born))
    for name, distribution in distributions.items():
        trial._suggest(name, distribution)
    return trial


def trial_spec(study: Study, space: SearchSpace, params: Mapping[str, Any]) -> Spec:
    """Spec that a trial's parameters make in this study."""
    return study.plan.spec(space.decode(params), {name: params[name] for name in TRAINING})


def reuse_result(study: Study, number: int, storage_id: int, spec_hash: str) -> dict[str, Any] | None:
    """End a trial with the result of the finished one that has the same spec; None if there is none."""
    earlier = next((each for each in study.finished() if each.user_attrs.get("spec_hash") == spec_hash), None)
    if earlier is None:
        return None
    for name, value in {"end": "reused", "reuses": earlier.number}.items():
        study.schedule._storage.set_trial_user_attr(storage_id, name, value)
    study.schedule.tell(number, earlier.value)
    return {"event": "reused", "number": number, "earlier": earlier.number}
