"""Heartbeats: how a trial that runs on another machine is told from one that a crash left behind.

Where the lease is seen from every machine, whoever holds it knows that nobody else works; between machines that share
a database whose lease is a file there is only the sign of life that Optuna's storage keeps for each running trial.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import optuna
from optuna.storages._heartbeat import BaseHeartbeat, get_heartbeat_thread
from optuna.trial import TrialState

from search.tracking.advisory import POSTGRESQL

HOST = "host"


@contextmanager
def beating(schedule: optuna.Study, trial: optuna.Trial) -> Iterator[None]:
    """Say where a trial runs, if that was not said, and give signs of life while the block runs."""
    if trial.user_attrs.get(HOST) != socket.gethostname():
        trial.set_user_attr(HOST, socket.gethostname())
    thread = get_heartbeat_thread(trial._trial_id, schedule._storage)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def alive_elsewhere(schedule: optuna.Study) -> set[int]:
    """Numbers of the trials that run on other machines and gave a sign of life not long ago.

    There are none for the holder of a lease that every machine sees.
    """
    if _dialect(schedule) == POSTGRESQL:
        return set()
    here = socket.gethostname()
    running = schedule.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    others = [trial for trial in running if trial.user_attrs.get(HOST, here) != here]
    storage = schedule._storage
    assert isinstance(storage, BaseHeartbeat)
    stale = set(storage._get_stale_trial_ids(schedule._study_id)) if others else set()
    return {trial.number for trial in others if trial._trial_id not in stale}


def _dialect(schedule: optuna.Study) -> str:
    backend: Any = getattr(schedule._storage, "_backend", schedule._storage)
    return str(backend.engine.dialect.name)
