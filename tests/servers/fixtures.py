"""Fixtures of what is tested on real servers: started once a session, on first use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.servers.machine import Machine
from tests.servers.postgres import GUARDED, USER, Postgres
from tests.servers.ray_cluster import RayCluster
from tests.servers.tracking_server import TrackingServer


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """PostgreSQL, in which ``optuna`` is a database that holds Optuna's empty schema."""
    from optuna.storages import RDBStorage

    server = Postgres()
    try:
        server.start()
        for role in (USER, GUARDED):
            server.ask(f"CREATE ROLE {role} LOGIN")
        server.ask(f"CREATE DATABASE optuna OWNER {USER}")
        storage = RDBStorage(server.url("optuna"))
        storage.remove_session()
        storage.engine.dispose()
        yield server
    finally:
        server.close()


@pytest.fixture(scope="session")
def tracking_server(postgres: Postgres) -> Iterator[TrackingServer]:
    """One ``mlflow server``, which all tests of the session share: their studies have names of their own."""
    server = TrackingServer(postgres)
    try:
        server.start()
        yield server
    finally:
        server.close()


@pytest.fixture(scope="session")
def two_nodes() -> Iterator[RayCluster]:
    """A Ray cluster of two nodes, which all tests of the session share."""
    cluster = RayCluster()
    try:
        yield cluster
    finally:
        cluster.close()


@pytest.fixture
def cluster(two_nodes: RayCluster) -> RayCluster:
    """The session's Ray cluster, both of its nodes alive."""
    two_nodes.add_node()
    return two_nodes


@pytest.fixture
def storage_url(postgres: Postgres) -> str:
    """Address of an Optuna storage of the test's own, empty."""
    return postgres.url(postgres.create("optuna"))


@pytest.fixture
def machine(tmp_path: Path, tracking_server: TrackingServer, storage_url: str) -> Iterator[Callable[..., Machine]]:
    """``machine("b")``: another machine, whose commands work on the test's storage and the session's MLflow server."""
    made: list[Machine] = []

    def make(host: str, tracking_uri: str = tracking_server.url, storage: str = storage_url) -> Machine:
        made.append(Machine(tmp_path / host, host, tracking_uri, storage))
        return made[-1]

    yield make
    for each in made:
        each.close()
