"""Addresses of stores: what they must look like to be read by everybody alike, and what must be installed for them."""

from __future__ import annotations

import re
from contextlib import suppress
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

from pipeline.exceptions import StoreError
from pipeline.redaction import secrets_of

POSTGRESQL = "postgresql"
PORT = "5432"
PSYCOPG = "psycopg"
INSTALL = "pip install 'patchscale[postgres]'"
READ_OTHERWISE = "/?#[]@ "
"""Letters of a password that mean something else in an address."""
SQLITE_TIMEOUT_SECONDS = 60
SIGNS_OF_LIFE = {
    "connect_timeout": 10,
    "keepalives": 1,
    "keepalives_idle": 20,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
"""Of a connection by psycopg: one whose server is gone without a word ends within a minute."""
STORAGE_VARIABLE, PASSWORD_FILE = "PATCHSCALE_STORAGE", "~/.pgpass"


def require_readable(option: str, uri: str) -> None:
    """Refuse an address that one library reads so and another otherwise; the message shows none of its password.

    Raises
    ------
    StoreError
        If letters of its user or password are not written as an address has them.
    """
    rest, _, query = uri.partition("://")[2].partition("?")
    user, at, _ = rest.rpartition("@")
    names = (field.partition("=")[0] for field in query.split("&"))
    ends_in_query = "@" in query if not at else any("@" in name for name in names)
    if uri.startswith("sqlite") or not (ends_in_query or any(letter in user for letter in READ_OTHERWISE)):
        return
    scheme = uri.partition(":")[0]
    raise StoreError(
        f"{option} must have the letters {READ_OTHERWISE.strip()} and blanks of its user and password "
        f"percent-encoded (%40 for @), got an address of {scheme} that has not; encode them, or leave the password to "
        f"{PASSWORD_FILE}"
    )


def require_driver(option: str, uri: str) -> None:
    """Refuse a PostgreSQL address where nothing is installed that speaks to one; what is notices a silent server.

    Raises
    ------
    StoreError
        Naming the command that installs it.
    """
    scheme = uri.partition(":")[0]
    if scheme not in (POSTGRESQL, f"{POSTGRESQL}+{PSYCOPG}"):
        return
    if find_spec(PSYCOPG) is not None:
        with suppress(ImportError):  # of its C library, which connecting says in words
            from search.tracking.answering import listen_to_servers

            listen_to_servers()
        return
    raise StoreError(
        f"{option} must be a store whose driver is installed, got {scheme} without {PSYCOPG}; run {INSTALL}"
    )


def with_driver(uri: str) -> str:
    """Address by which SQLAlchemy takes psycopg, whatever its own default is.

    Examples
    --------
    >>> with_driver("postgresql://me@host/db"), with_driver("postgresql+asyncpg://host/db")
    ('postgresql+psycopg://me@host/db', 'postgresql+asyncpg://host/db')
    """
    return re.sub(rf"^{POSTGRESQL}://", f"{POSTGRESQL}+{PSYCOPG}://", uri)


def as_given(uri: str) -> str:
    """Address as its user writes it, without the driver.

    Examples
    --------
    >>> as_given("postgresql+psycopg://me@host/db")
    'postgresql://me@host/db'
    """
    return uri.replace(f"{POSTGRESQL}+{PSYCOPG}://", f"{POSTGRESQL}://", 1)


def place_of(uri: str) -> tuple[str | None, ...]:
    """Say what tells one database of a server from another, as far as its address does.

    Examples
    --------
    >>> place_of("postgresql://me@host/db") == place_of("postgresql+psycopg://me:secret@HOST:5432/db")
    True
    >>> place_of("postgresql://me@host/db?options=-csearch_path%3Da") == place_of("postgresql://me@host/db")
    False
    """
    parts = urlsplit(uri)
    port = parts.netloc.rpartition("@")[2].partition(":")[2]
    kind = parts.scheme.partition("+")[0]
    default = PORT if kind == POSTGRESQL else ""
    return kind, parts.hostname, port or default, parts.username, parts.path, parts.query


def for_optuna(uri: str) -> str:
    """Address as Optuna takes it, which fills in what stands in braces."""
    return with_driver(uri).replace("{", "{{").replace("}", "}}")


def connect_options(uri: str) -> dict[str, Any]:
    """Say how SQLAlchemy connects: a server's connections are tried before use, and one that is gone is noticed."""
    if uri.startswith("sqlite"):
        return {"connect_args": {"timeout": SQLITE_TIMEOUT_SECONDS}}
    psycopg = with_driver(uri).startswith(f"{POSTGRESQL}+{PSYCOPG}:")
    return {"pool_pre_ping": True, "connect_args": dict(SIGNS_OF_LIFE) if psycopg else {}}


def reach(uri: str) -> None:
    """Connect to a database once: MLflow itself tries for most of an hour before it says why it can't."""
    from sqlalchemy import create_engine

    engine = create_engine(uri, **connect_options(uri))
    try:
        engine.connect().close()
    finally:
        engine.dispose()


def has_secret(uri: str) -> bool:
    """Whether an address holds a password."""
    return bool(secrets_of(uri))


def server_address(uri: str) -> str | None:
    """Where a person opens the UI of an MLflow server; None for a store that is no server.

    Examples
    --------
    >>> server_address("https://me:secret@mlflow.example.org/base/"), server_address("sqlite:////a.db")
    ('https://mlflow.example.org/base', None)
    """
    parts = urlsplit(uri)
    if parts.scheme not in ("http", "https"):
        return None
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}"
