"""Locks of a PostgreSQL server: held by a session of its own, seen from every machine, and freed with it.

Who holds one stands in the session's ``application_name``, which every role may read in ``pg_stat_activity`` and which
goes with the session: a table of holders would outlive them.

A session that ends while its holder works, as when the server restarts, is made again by a thread as soon as that is
possible.  A table counts how often each lock was taken, so that a holder that was cut off knows of others that came and
have left.
"""

from __future__ import annotations

import hashlib
import os
import re
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from pipeline.exceptions import LostLeaseError, StoreError
from search.tracking.address import POSTGRESQL as POSTGRESQL
from search.tracking.address import as_given
from search.tracking.holder import BRIEF, Holder, acquire
from search.tracking.patience import as_lost, wait_for
from search.tracking.schema import TABLE_OF_REVISIONS, TOOLS
from search.tracking.session import answers, ask, close, connect, has_table, open_session

if TYPE_CHECKING:
    from sqlalchemy import Connection

LONGEST_NAME = 63
"""Letters of a name that PostgreSQL keeps."""
LONG, MAKING = "long", "making of tables"
WATCH_SECONDS, POLL_SECONDS = 1.0, 0.1
"""How often the session is looked at, and what is waited for."""
FREE_SECONDS = 1.0
"""How long the end waits for a look that takes its time: the session ends with it."""
ABOUT = "the server that holds the lease"
ENDED_AFTER_SECONDS = 30.0
"""How long a session that was told to end may take."""
NAMED = re.compile(rf"patchscale (\d+)@(\S*) ([0-9a-f]+) ({BRIEF}|{LONG})")
COUNTS = "patchscale_leases"
"""Table of how often each name was taken, beside the tables of the tool whose database it is."""
MAKE_COUNTS = f"CREATE TABLE IF NOT EXISTS {COUNTS} (name text PRIMARY KEY, takes bigint NOT NULL)"
COUNT = f"""
INSERT INTO {COUNTS} AS counts VALUES (:name, 1) ON CONFLICT (name) DO UPDATE SET takes = counts.takes + 1
RETURNING takes
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
        self._takes: dict[str, int | None] = {}
        """How often each name had been taken when this took it; None where nobody counts."""
        self._lost: LostLeaseError | None = None
        self._freed = threading.Event()
        self._mutex = threading.RLock()
        """Of all that is above: the thread that watches uses it too."""

    def take(self, wait: float) -> None:
        """Take every name, as soon as brief holders are done, and watch over them from then on.

        Raises
        ------
        StoreError
            If one is held for long, or the server can't be reached.
        """
        from sqlalchemy.exc import SQLAlchemyError

        try:
            wait_for(ABOUT, lambda: self._take(connect, wait), lambda: self._take(open_session, wait))
        except SQLAlchemyError as error:
            raise as_lost(error) from error
        threading.Thread(target=self._watch, name="lease", daemon=True).start()

    def _take(self, opened: Callable[[str], Connection], wait: float) -> None:
        self._drop()
        self._connection = opened(self._uri)
        self._introduce()
        for name, what in self._names.items():
            acquire(partial(self._try, name), partial(self._holder, name), what, wait)
            self._takes[name] = count_take(self._connection, name)

    def require(self) -> None:
        """Make sure that the names are still held; where the session has ended, take them again.

        Raises
        ------
        LostLeaseError
            If somebody else took one meanwhile.
        StoreLostError
            If the server can't be reached for ten minutes.
        """
        from sqlalchemy.exc import SQLAlchemyError

        try:
            wait_for(ABOUT, self._keep)
        except SQLAlchemyError as error:
            raise as_lost(error) from error

    def free(self) -> None:
        """Give the names up, with the session."""
        self._freed.set()
        if self._mutex.acquire(timeout=FREE_SECONDS):
            self._drop()
            self._mutex.release()

    def _watch(self) -> None:
        """Make the session again as soon as it can be: whoever comes first holds the names."""
        while not self._freed.wait(WATCH_SECONDS):
            with suppress(Exception):
                self._keep()

    def _keep(self) -> None:
        with self._mutex:
            if self._lost is not None:
                raise self._lost
            if self._connection is not None and answers(self._connection):
                return
            self._drop()
            try:
                self._retake()
            except BaseException as error:
                self._drop()
                self._lost = error if isinstance(error, LostLeaseError) else None
                raise
            if self._freed.is_set():
                self._drop()

    def _retake(self) -> None:
        before = self._session
        self._connection = open_session(self._uri)
        if before is not None:
            self._end(*before)
        self._introduce()
        for name, what in self._names.items():
            if not self._try(name):
                _give_way(f"{what} {self._holder(name)}, which took it over while this one had no connection")
            if (takes := self._takes[name]) is not None and takes != takes_of(self._connection, name):
                _give_way(f"{what} unknown, which took it over while this one had no connection, and has ended")

    def _drop(self) -> None:
        if self._connection is not None:
            close(self._connection)
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
        return ask(self._connection, query, **values)


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
        close(connection)


def holders_on(connection: Connection, names: Iterable[str]) -> dict[str, Holder]:
    """Say the same, asked by a session that is there."""
    held = {int(key): read_name(name or "") for key, name in ask(connection, HOLDERS)}
    return {name: held[key_of(name)] for name in names if key_of(name) in held}


def count_take(connection: Connection, name: str) -> int | None:
    """Count that a name was taken, by whoever holds it.

    Returns
    -------
    int or None
        How often by now; None where a role may not write that down, or the tool whose database it is has no tables yet.
    """
    from sqlalchemy.exc import ProgrammingError, SQLAlchemyError

    if not _is_made(connection):
        return None
    if not has_table(connection, COUNTS):
        with suppress(SQLAlchemyError):  # another makes it at this moment, or the role may not
            ask(connection, MAKE_COUNTS)
    try:
        return int(ask(connection, COUNT, name=name)[0][0])
    except ProgrammingError:
        return None


def takes_of(connection: Connection, name: str) -> int | None:
    """How often a name was taken; None where nobody counts."""
    found = ask(connection, f"SELECT takes FROM {COUNTS} WHERE name = :name", name=name)
    return int(found[0][0]) if found else None


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
        close(connection)


def _require_own(connection: Connection, option: str, uri: str) -> None:
    """Refuse a database whose one table of revisions is not this tool's: it would read the other's as its own."""
    found = ask(connection, f"SELECT version_num FROM {TABLE_OF_REVISIONS}") if _is_made(connection) else []
    tool = TOOLS[option]
    if found and not tool.owns_revision(found[0][0]):
        raise StoreError(
            f"{option} must be a database in which only {tool.name} keeps a schema, got {as_given(uri)}, in whose "
            f"{TABLE_OF_REVISIONS} stands {found[0][0]}, of something else; name a database of its own"
        )


def _is_made(connection: Connection) -> bool:
    """Whether the table is there that MLflow and Optuna make last."""
    return has_table(connection, TABLE_OF_REVISIONS)


def _try(connection: Connection, name: str) -> bool:
    return bool(ask(connection, "SELECT pg_try_advisory_lock(:key)", key=key_of(name))[0][0])


def _give_way(holder: str) -> NoReturn:
    raise LostLeaseError(
        f"a study is worked on by one command at a time, got {holder}; this command stops and leaves it alone"
    )
