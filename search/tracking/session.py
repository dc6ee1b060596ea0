"""Sessions of a PostgreSQL server that this process keeps to itself, outside the pools of MLflow and Optuna.

The server asks for signs of life of them, so that it gives one up within a minute of a power cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pipeline.exceptions import StoreError, describe_error
from search.tracking.address import as_given, connect_options, require_driver, with_driver

if TYPE_CHECKING:
    from sqlalchemy import Connection

SETTINGS = {
    "tcp_keepalives_idle": "20",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "50000",
    "idle_session_timeout": "0",
    "statement_timeout": "0",
}
"""Of the session: a holder whose machine is gone is noticed after 50 seconds, one that waits is not thrown out."""
SETTLE = f"""
SELECT set_config(name, value, false) FROM (VALUES {", ".join(map(str, SETTINGS.items()))}) AS wanted (name, value)
WHERE EXISTS (SELECT FROM pg_settings WHERE pg_settings.name = wanted.name)
"""


def connect(uri: str, option: str = "storage") -> Connection:
    """Open a session of its own, that the server gives up once this machine is gone.

    Raises
    ------
    StoreError
        If the server can't be reached.
    """
    from sqlalchemy.exc import SQLAlchemyError

    require_driver(option, uri)
    try:
        return open_session(uri)
    except (SQLAlchemyError, ImportError) as error:
        cause = describe_error(getattr(error, "orig", None) or error)
        raise StoreError(
            f"{option} must be a store that can be reached, got {as_given(uri)} ({cause}); check it"
        ) from None


def open_session(uri: str) -> Connection:
    """Do so, and let SQLAlchemy say why it can't be."""
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    options = {"connect_args": connect_options(uri)["connect_args"], "isolation_level": "AUTOCOMMIT"}
    connection = create_engine(with_driver(uri), poolclass=NullPool, **options).connect()
    ask(connection, SETTLE)
    return connection


def answers(connection: Connection) -> bool:
    """Whether the server still knows of a session."""
    from sqlalchemy.exc import SQLAlchemyError

    try:
        ask(connection, "SELECT 1")
    except SQLAlchemyError:
        return False
    return True


def ask(connection: Connection, query: str, **values: Any) -> Sequence[Any]:
    """Rows by which a query with these values is answered; each stands for itself, in no transaction."""
    from sqlalchemy import text

    return connection.execute(text(query), values).all()


def close(connection: Connection) -> None:
    """End a session, whether or not the server is there."""
    connection.invalidate()
    connection.close()


def has_table(connection: Connection, table: str) -> bool:
    """Whether the database has a table of this name."""
    return ask(connection, "SELECT to_regclass(:table)", table=table)[0][0] is not None
