"""Locks of a PostgreSQL server: held by a session of its own, seen from every machine, and freed with it.

Who holds one stands in the session's ``application_name``, which every role may read in ``pg_stat_activity`` and which
goes with the session: a table of holders would outlive them, and would have to be made by somebody who may.  The server
is told to ask for signs of life of the connection, so that a power cut frees the lock within a minute.
"""

from __future__ import annotations

import hashlib
import os
import re
import socket
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from pipeline.exceptions import LostLeaseError, StoreError, describe_error
from search.tracking.address import POSTGRESQL as POSTGRESQL
from search.tracking.address import as_given, connect_options, require_driver, with_driver
from search.tracking.holder import BRIEF, Holder, acquire
from search.tracking.patience import WAITING, longest_wait
from search.tracking.schema import TABLE_OF_REVISIONS, TOOLS

if TYPE_CHECKING:
    from sqlalchemy import Connection

LONGEST_NAME = 63
"""Letters of a name that PostgreSQL keeps."""
LONG, MAKING = "long", "making of tables"
RECONNECT_SECONDS, POLL_SECONDS = 1.0, 0.1
ENDED_AFTER_SECONDS = 30.0
"""How long a session that was told to end may take."""
NAMED = re.compile(rf"patchscale (\d+)@(\S*) ([0-9a-f]+) ({BRIEF}|{LONG})")
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
HOLDERS = """
SELECT (held.classid::bigint << 32) | held.objid::bigint, session.application_name
FROM pg_locks AS held LEFT JOIN pg_stat_activity AS session USING (pid)
WHERE held.locktype = 'advisory' AND held.granted AND held.objsubid = 1
  AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


class AdvisoryLock:
    """Names that one session of a PostgreSQL server holds.

    Parameters
    ----------
    uri : str
        Of the database.
    names : mapping
        What is held, each with how a message calls it: see :func:`search.tracking.holder.owned`.
    brief : bool
        Whether others wait for it.
    """

    def __init__(self, uri: str, names: Mapping[str, str], *, brief: bool) -> None:
        self._uri, self._names, self._brief = uri, names, brief
        self._connection: Connection | None = None
        self._session: tuple[int, str] | None = None
        """Process id on the server, and name, of the last connection."""
        self._lost: StoreError | None = None

    def take(self, wait: float) -> None:
        """Take every name, as soon as brief holders are done.

        Raises
        ------
        StoreError
            If one is held for long, or the server can't be reached.
        """
        self._connection = connect(self._uri)
        self._introduce()
        for name, what in self._names.items():
            acquire(partial(self._try, name), partial(self._holder, name), what, wait)

    def require(self) -> None:
        """Make sure that the names are still held; where the server ended the session, take them again.

        Raises
        ------
        LostLeaseError
            If somebody else took one meanwhile.
        StoreError
            If the server can't be reached for ten minutes.
        """
        if self._lost is not None:
            raise self._lost
        if self._connection is not None and _answers(self._connection):
            return
        self.free()
        try:
            self._retake()
        except StoreError as error:
            self._lost = error
            raise

    def _retake(self) -> None:
        before = self._session
        self._connection = _reconnect(self._uri)
        if before is not None:
            self._end(*before)
        self._introduce()
        for name, what in self._names.items():
            if not self._try(name):
                raise LostLeaseError(
                    f"a study is worked on by one command at a time, got {what} {self._holder(name)}, which took it "
                    "over while this one had no connection; this command stops and leaves it alone"
                )

    def free(self) -> None:
        """Give the names up, with the session."""
        if self._connection is not None:
            _close(self._connection)
            self._connection = None

    def _introduce(self) -> None:
        """Say who holds what is taken next, by the server's clock."""
        now, pid = self._ask("SELECT extract(epoch FROM clock_timestamp())::bigint, pg_backend_pid()")[0]
        name = application_name(int(now), self._brief)
        self._ask("SELECT set_config('application_name', :name, false)", name=name)
        self._session = int(pid), name

    def _end(self, pid: int, name: str) -> None:
        """End the session that this process had before, of whose end the server may not know yet."""
        own = "FROM pg_stat_activity WHERE pid = :pid AND application_name = :name"
        self._ask(f"SELECT pg_terminate_backend(pid) {own}", pid=pid, name=name)
        given_up = time.monotonic() + ENDED_AFTER_SECONDS
        while self._ask(f"SELECT pid {own}", pid=pid, name=name) and time.monotonic() < given_up:
            time.sleep(POLL_SECONDS)

    def _try(self, name: str) -> bool:
        assert self._connection is not None
        return _try(self._connection, name)

    def _holder(self, name: str) -> Holder:
        assert self._connection is not None
        return holders_on(self._connection, [name]).get(name, Holder(brief=True))

    def _ask(self, query: str, **values: Any) -> Sequence[Any]:
        assert self._connection is not None
        return _ask(self._connection, query, **values)


def read_holders(uri: str, names: Iterable[str]) -> dict[str, Holder]:
    """Who holds which of these names; those that are free are left out.

    Raises
    ------
    StoreError
        If the server can't be reached.
    """
    connection = connect(uri)
    try:
        return holders_on(connection, names)
    finally:
        _close(connection)


def holders_on(connection: Connection, names: Iterable[str]) -> dict[str, Holder]:
    """Say the same, asked by a session that is there."""
    held = {int(key): read_name(name or "") for key, name in _ask(connection, HOLDERS)}
    return {name: held[key_of(name)] for name in names if key_of(name) in held}


def key_of(name: str) -> int:
    """Key of a name: PostgreSQL's advisory locks are whole numbers of 64 bits.

    Examples
    --------
    >>> key_of("SPY-2M-h1")
    3469247972409773816
    """
    return int.from_bytes(hashlib.sha256(f"patchscale:{name}".encode()).digest()[:8], signed=True)


def application_name(since: int, brief: bool) -> str:
    """Name of a session, from which :func:`read_name` reads its holder.

    Examples
    --------
    >>> read_name(application_name(1764152229, True)).since
    1764152229
    """
    before, after = f"patchscale {os.getpid()}@", f" {since:x} {BRIEF if brief else LONG}"
    return f"{before}{socket.gethostname()[: LONGEST_NAME - len(before) - len(after)]}{after}"


def read_name(name: str) -> Holder:
    """Read who a session says it is; nothing is known of one that says it otherwise.

    Examples
    --------
    >>> str(read_name("patchscale 12@east 6926f0e5 long")), str(read_name("psql"))
    ('12 on east since 2025-11-26 12:21:57 UTC', 'unknown')
    """
    found = NAMED.fullmatch(name)
    if found is None:
        return Holder()
    pid, host, since, kind = found.groups()
    return Holder(pid=pid, host=host, since=int(since, 16), brief=kind == BRIEF)


def connect(uri: str, option: str = "storage") -> Connection:
    """Open a session of its own, that the server gives up once this machine is gone.

    Raises
    ------
    StoreError
        If the server can't be reached.
    """
    from sqlalchemy import create_engine
    from sqlalchemy.exc import SQLAlchemyError
    from sqlalchemy.pool import NullPool

    require_driver(option, uri)
    options = {"connect_args": connect_options(uri)["connect_args"], "isolation_level": "AUTOCOMMIT"}
    try:
        connection = create_engine(with_driver(uri), poolclass=NullPool, **options).connect()
        _ask(connection, SETTLE)
        return connection
    except (SQLAlchemyError, ImportError) as error:
        cause = describe_error(getattr(error, "orig", None) or error)
        raise StoreError(
            f"{option} must be a store that can be reached, got {as_given(uri)} ({cause}); check it"
        ) from None


@contextmanager
def first_use(option: str, uri: str) -> Iterator[None]:
    """Let one process of all machines make what a tool keeps in a database, if nothing is there yet; others wait.

    Raises
    ------
    StoreError
        If something else keeps its tables there.
    """
    if not uri.startswith(POSTGRESQL):
        yield
        return
    connection = connect(uri, option)
    try:
        while not _is_made(connection) and not _try(connection, MAKING):
            time.sleep(POLL_SECONDS)
        _require_own(connection, option, uri)
        yield
    finally:
        _close(connection)


def _require_own(connection: Connection, option: str, uri: str) -> None:
    """Refuse a database whose one table of revisions is not this tool's: it would read the other's as its own."""
    found = _ask(connection, f"SELECT version_num FROM {TABLE_OF_REVISIONS}") if _is_made(connection) else []
    tool = TOOLS[option]
    if found and not tool.owns_revision(found[0][0]):
        raise StoreError(
            f"{option} must be a database in which only {tool.name} keeps a schema, got {as_given(uri)}, in whose "
            f"{TABLE_OF_REVISIONS} stands {found[0][0]}, of something else; name a database of its own"
        )


def _is_made(connection: Connection) -> bool:
    """Whether the table is there that MLflow and Optuna make last."""
    return _ask(connection, "SELECT to_regclass(:table)", table=TABLE_OF_REVISIONS)[0][0] is not None


def _try(connection: Connection, name: str) -> bool:
    return bool(_ask(connection, "SELECT pg_try_advisory_lock(:key)", key=key_of(name))[0][0])


def _reconnect(uri: str) -> Connection:
    """Open the session again, as soon as the server is there."""
    return _patiently(lambda: connect(uri))


def _patiently(open_it: Callable[[], Connection]) -> Connection:
    started, said = time.monotonic(), False
    while True:
        try:
            return open_it()
        except StoreError as error:
            if WAITING.given_up or time.monotonic() - started > longest_wait():
                raise
            if not said:
                print(f"note: {error}; waiting for it {longest_wait():.0f} s at most", file=sys.stderr, flush=True)
                said = True
            time.sleep(RECONNECT_SECONDS)


def _answers(connection: Connection) -> bool:
    from sqlalchemy.exc import SQLAlchemyError

    try:
        _ask(connection, "SELECT 1")
    except SQLAlchemyError:
        return False
    return True


def _ask(connection: Connection, query: str, **values: Any) -> Sequence[Any]:
    from sqlalchemy import text

    return connection.execute(text(query), values).all()


def _close(connection: Connection) -> None:
    connection.invalidate()
    connection.close()
