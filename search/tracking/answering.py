"""Connections by psycopg that take a server for away which took a question and says nothing.

A process or a proxy that hangs keeps its connections: no timeout of TCP ends them, and libpq waits for ever.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any, TypeVar

from psycopg import Connection, OperationalError
from sqlalchemy import event
from sqlalchemy.engine import Engine

from search.tracking.patience import longest_wait

LONGEST_SILENCE = 60.0
DRIVER = "psycopg"

T = TypeVar("T")


class SilentError(OperationalError):
    """A server that took a question did not answer it."""


class AnsweringConnection(Connection[Any]):
    """Connection that ends itself when its server is silent for too long."""

    def wait(self, gen: Any, *arguments: Any, **named: Any) -> Any:
        """Wait for an answer.

        Raises
        ------
        SilentError
            If none comes; the connection is closed then.
        """
        try:
            return super().wait(listened_to(gen), *arguments, **named)
        except SilentError:
            self.pgconn.finish()
            raise


def listened_to(gen: Generator[Any, Any, T]) -> Generator[Any, Any, T]:
    """Give what psycopg waits for, until nothing has come for :data:`LONGEST_SILENCE`, or half of what is waited."""
    heard = time.monotonic()
    try:
        state = next(gen)
        while True:
            ready = yield state
            if ready:
                heard = time.monotonic()
            elif time.monotonic() - heard > (longest := min(LONGEST_SILENCE, longest_wait() / 2)):
                raise SilentError(f"it took a question and did not answer for {longest:.0f} s")
            state = gen.send(ready)
    except StopIteration as end:
        return end.value


def listen_to_servers() -> None:
    """Have every connection that SQLAlchemy makes by psycopg be one of these, MLflow's too."""
    if not event.contains(Engine, "do_connect", _connect):
        event.listen(Engine, "do_connect", _connect)


def _connect(dialect: Any, record: Any, arguments: Any, named: Any) -> Any:
    return AnsweringConnection.connect(*arguments, **named) if dialect.driver == DRIVER else None
