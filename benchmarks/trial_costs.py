"""What a trial takes of the brain, the hand and the servers, without its training: measured on real stores."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import numpy as np

LARGE_STUDY = 200
"""Finished trials of the study that is asked."""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one trial takes, in seconds.

    Parameters
    ----------
    ask, keep : float
        Of the brain, before and after a trial.
    hand : float
        Of the hand beside training, with every wait for the servers.
    shared : dict
        Of each thing that all hands share, by name.
    places : dict
        How many of it there are.
    """

    ask: float
    keep: float
    hand: float
    shared: Mapping[str, float] = field(default_factory=dict)
    places: Mapping[str, int] = field(default_factory=dict)


@contextmanager
def locked_seconds() -> Iterator[list[float]]:
    """Gather for how long each transaction locks an SQLite file: from its first write until it is committed."""
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    began: dict[int, float] = {}
    found: list[float] = []

    def write(connection: Any, cursor: Any, statement: str, *others: Any) -> None:
        if statement.lstrip()[:6].upper() in ("INSERT", "UPDATE", "DELETE"):
            began.setdefault(id(connection), time.perf_counter())

    def commit(connection: Any) -> None:
        if id(connection) in began:
            found.append(time.perf_counter() - began.pop(id(connection)))

    event.listen(Engine, "before_cursor_execute", write)
    event.listen(Engine, "commit", commit)
    try:
        yield found
    finally:
        event.remove(Engine, "before_cursor_execute", write)
        event.remove(Engine, "commit", commit)


def processor_seconds(pids: Sequence[int]) -> float:
    """Seconds that processes and all below them have had of the processor, ended ones too."""
    import psutil

    total = 0.0
    for pid in pids:
        process = psutil.Process(pid)
        for each in (process, *process.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                used = each.cpu_times()
                total += used.user + used.system + used.children_user + used.children_system
    return total


def measure(stores: Any, trials: int, servers: Mapping[str, int]) -> tuple[Cost, dict[str, float]]:
    """Run trials without training on real stores, and say what each part of one takes.

    Parameters
    ----------
    stores : Stores
        Empty.
    trials : int
        That are run, and again when the study is large.
    servers : mapping
        Process of each server; none on SQLite.
    """
    from search.results.weights import WeightKeeper
    from search.study.make_plan import make_plan
    from search.study.next_trial import Proposer
    from search.study.request import HpoRequest
    from search.study.study import open_or_create_study
    from search.trial.runner import TrialRunner

    root = Path("data").absolute()
    plan, dataset = make_plan(HpoRequest(budget="5K", max_epochs=1, patience=1, study="scale", tier="r25"), root=root)
    study = open_or_create_study(stores, plan, trials=LARGE_STUDY, data_root=root, pruner="none")
    runner = TrialRunner(study, dataset, device="cpu", report=lambda event: None, should_stop=lambda: False)
    proposer, keeper = Proposer(study), WeightKeeper(study, stores, click.echo)
    took: dict[str, list[float]] = defaultdict(list)
    served: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))

    def timed(name: str, work: Any) -> Any:
        used = {server: processor_seconds([pid]) for server, pid in servers.items()}
        began = time.process_time()
        done = work()
        took[name].append(time.process_time() - began)
        for server, pid in servers.items():
            served[name][server] += (processor_seconds([pid]) - used[server]) / trials
        return done

    def one() -> None:
        found = timed("ask", lambda: proposer.ask("here"))
        if proposer.reuse(found) is None:
            timed("trial", lambda: runner.run(found.storage_id))
        timed("keep", lambda: keeper.after(len(study.finished())))

    for _ in range(trials):
        one()
    small = float(np.median(took["ask"])) + sum(served["ask"].values())
    _enlarge(study, LARGE_STUDY)
    keeper.after(LARGE_STUDY)  # the runs of copies are looked for once, and are not there
    took.clear()
    served.clear()
    with locked_seconds() as locked:
        for _ in range(trials):
            one()
    shared = {server: sum(each[server] for each in served.values()) for server in servers}
    if not servers:
        shared = {"SQLite": len(locked) * float(np.median(locked)) / trials}
    whole = {name: float(np.median(seconds)) + sum(served[name].values()) for name, seconds in took.items()}
    cost = Cost(ask=whole["ask"], keep=whole["keep"], hand=whole["trial"], shared=shared)
    return cost, {"ask, first trials": small, **{f"{name}, at {LARGE_STUDY}": s for name, s in whole.items()}}


def _enlarge(study: Any, size: int) -> None:
    """Give a study as many finished trials as are missing, each a copy of one with another loss."""
    import optuna

    own = study.finished()
    draw = np.random.default_rng(0)
    for number in range(size - len(own)):
        like = own[number % len(own)]
        facts = {**like.user_attrs, "spec_hash": f"{number:064d}", "run_id": f"{number:032d}"}
        value = like.value + float(draw.uniform(0.001, 0.1))
        study.schedule.add_trial(
            optuna.trial.create_trial(
                params=like.params, distributions=like.distributions, value=value, user_attrs=facts
            )
        )


def small_study(trials: int, budget: str) -> list[float]:
    """Seconds that the trials of a small study train, as its record says: real ones, one after another."""
    from search.study.make_plan import make_plan
    from search.study.request import HpoRequest
    from search.study.study import open_or_create_study
    from search.tracking.stores import resolve_stores
    from search.trial.runner import TrialRunner

    root = Path("data").absolute()
    plan, dataset = make_plan(HpoRequest(budget=budget, max_epochs=3, study="small", tier="r25"), root=root)
    study = open_or_create_study(resolve_stores(), plan, trials=trials, data_root=root)
    runner = TrialRunner(study, dataset, device="cpu", report=lambda event: None, should_stop=lambda: False)
    for _ in range(trials):
        runner.run_next()
    return [trial.user_attrs["result"]["seconds"] for trial in study.finished()]


@contextmanager
def running_servers() -> Iterator[tuple[Any, Any]]:
    """Start PostgreSQL and MLflow's server before it, as the tests do."""
    from tests.servers.postgres import USER, Postgres
    from tests.servers.tracking_server import TrackingServer

    with ExitStack() as stack:
        database = Postgres()
        stack.callback(database.close)
        database.start()
        database.ask(f"CREATE ROLE {USER} LOGIN")
        tracking = TrackingServer(database)
        stack.callback(tracking.close)
        tracking.start()
        yield database, tracking


@contextmanager
def servers() -> Iterator[tuple[Any, dict[str, int]]]:
    """Start both: their stores, and the process of each."""
    from search.tracking.stores import resolve_stores

    with running_servers() as (database, tracking):
        stores = resolve_stores(tracking.url, database.url(database.create()))
        yield stores, {"PostgreSQL": database.pid, "MLflow's server": tracking.pid}
