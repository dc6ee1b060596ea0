"""Heartbeats: how a trial that runs on another machine is told from one that a crash left behind.

On this machine the study's lock says it at once; between machines that share a database there is only the
sign of life that Optuna's storage keeps for each running trial.
"""

from __future__ import annotations

import socket
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import optuna
from optuna.distributions import BaseDistribution
from optuna.storages._heartbeat import BaseHeartbeat, get_heartbeat_thread
from optuna.trial import TrialState

HOST = "host"


def ask(schedule: optuna.Study, distributions: Mapping[str, BaseDistribution]) -> optuna.Trial:
    """Ask for a trial; Optuna warns that heartbeats need its own loop, which :func:`beating` stands in for."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Heartbeat of storage", category=UserWarning)
        return schedule.ask(dict(distributions))


@contextmanager
def beating(schedule: optuna.Study, trial: optuna.Trial) -> Iterator[None]:
    """Say where a trial runs, and give signs of life while the block runs."""
    trial.set_user_attr(HOST, socket.gethostname())
    thread = get_heartbeat_thread(trial._trial_id, schedule._storage)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def alive_elsewhere(schedule: optuna.Study) -> set[int]:
    """Numbers of the trials that run on other machines and gave a sign of life not long ago."""
    here = socket.gethostname()
    running = schedule.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    others = [trial for trial in running if trial.user_attrs.get(HOST, here) != here]
    storage = schedule._storage
    assert isinstance(storage, BaseHeartbeat)
    stale = set(storage._get_stale_trial_ids(schedule._study_id)) if others else set()
    return {trial.number for trial in others if trial._trial_id not in stale}
