"""Embedded databases: made whole or not at all, by one process at a time, and brought to a newer schema when asked."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from glob import escape
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from pipeline.exceptions import StoreError
from pipeline.file_lock import file_lock
from search.tracking.schema import HALF_CHANGED, MLFLOW, OPTUNA, TABLE_OF_REVISIONS, Tool

SQLITE = "sqlite:///"
READ_OTHERWISE = "%?#"
"""Letters of a path that mean something else in an address."""


def database_of(uri: str) -> Path | None:
    """File of an embedded store, whatever it is called by; None for a server.

    Examples
    --------
    >>> database_of("sqlite:////a%2520b/mlflow.db"), database_of("postgresql://host/db")
    (PosixPath('/a%20b/mlflow.db'), None)
    """
    return Path(os.path.realpath(unquote(uri.removeprefix(SQLITE)))) if uri.startswith(SQLITE) else None


def uri_of(database: Path) -> str:
    """Address of an embedded store, in which SQLAlchemy reads the same path again.

    Examples
    --------
    >>> uri_of(Path("/ä b/100%/mlflow.db"))
    'sqlite:////ä b/100%25/mlflow.db'
    """
    return SQLITE + "".join(quote(each) if each in READ_OTHERWISE else each for each in str(database))


def remove_misread(uri: str) -> None:
    """Remove the empty directory that MLflow makes where an address would lie if it were not read as one."""
    misread = Path(uri.removeprefix(SQLITE))
    if "%" in str(misread) and misread != database_of(uri):
        with suppress(OSError):
            os.removedirs(misread.parent)


def lock_of(database: Path) -> Path:
    """File whose lock holds whoever makes or changes the whole of a database."""
    return database.parent / "locks" / f"{database.name}.lock"


def prepare_tracking(database: Path, *, migrate: bool) -> None:
    """Make MLflow's database where there is none; bring an older one to this MLflow's schema only if asked.

    Raises
    ------
    StoreError
        If it holds records in another schema, and is not to be changed.
    """
    from mlflow.store.db import utils
    from mlflow.store.db.base_sql_model import Base

    wanted = set(Base.metadata.tables)
    head = utils._get_latest_schema_revision()
    if wanted <= tables(database) and revision(database) == head:
        return
    is_left_half_made(database, MLFLOW, wanted)  # before a lock lies beside what is somebody else's
    with file_lock(lock_of(database)):
        if wanted <= tables(database) and revision(database) == head:
            return
        if is_left_half_made(database, MLFLOW, wanted):
            make_database(database, lambda uri: _make_tracking(uri, database.parent))
            return
        _require_older(database, utils)
        if not migrate:
            raise StoreError(
                f"tracking_uri must have the schema of the MLflow installed here, {version('mlflow')} ({head}), got "
                f"{database} with an older one ({revision(database)}), which a command that only reads leaves alone; "
                "patchscale hpo or reconcile keeps a copy and migrates it"
            )
        _keep_copy(database)
        engine = utils.create_sqlalchemy_engine(uri_of(database))
        try:
            utils._upgrade_db(engine)
        finally:
            engine.dispose()


def prepare_storage(database: Path) -> None:
    """Make Optuna's database where there is none."""
    if _is_schedule(database):
        return
    from optuna.storages._rdb.models import BaseModel

    wanted = set(BaseModel.metadata.tables)
    is_left_half_made(database, OPTUNA, wanted)
    with file_lock(lock_of(database)):
        if not _is_schedule(database) and is_left_half_made(database, OPTUNA, wanted):
            make_database(database, _make_storage)


def _is_schedule(database: Path) -> bool:
    return OPTUNA.core | {TABLE_OF_REVISIONS} <= tables(database) and OPTUNA.owns_revision(revision(database))


def make_database(database: Path, make: Callable[[str], None]) -> None:
    """Make a database under another name, and give it its own when it is whole.

    The caller holds its lock: what an interrupted one left is taken away, of its tables a copy is kept.  So the disk is
    waited for once, at the end, and not after each of the many steps of a schema.

    Raises
    ------
    StoreError
        If another program writes to it meanwhile.
    """
    before = _state(database)
    for left in database.parent.glob(f".{escape(database.name)}.*.part*"):
        left.unlink(missing_ok=True)
    part = database.with_name(f".{database.name}.{os.getpid()}.part")
    try:
        with _without_waiting(part):
            make(uri_of(part))
        with part.open("rb") as whole:
            os.fsync(whole.fileno())
        if _state(database) != before:
            raise StoreError(f"a store is made by one program at a time, got {database} written to; repeat the command")
        if tables(database):
            _keep_copy(database)
        os.replace(part, database)
    finally:
        for left in database.parent.glob(f"{escape(part.name)}*"):
            left.unlink(missing_ok=True)


def _state(database: Path) -> tuple[int, int, int] | None:
    """Say what differs in a file once somebody wrote to it."""
    if not database.exists():
        return None
    found = database.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


@contextmanager
def _without_waiting(part: Path) -> Iterator[None]:
    """Inside, let connections to a database that nobody else sees yet not wait for the disk."""
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    def settle(connection: Any, record: object) -> None:
        if isinstance(connection, sqlite3.Connection):
            opened = {Path(file) for _, _, file in connection.execute("PRAGMA database_list") if file}
            if part in opened:
                connection.execute("PRAGMA synchronous = OFF")
                connection.execute("PRAGMA journal_mode = MEMORY")

    event.listen(Engine, "connect", settle)
    try:
        yield
    finally:
        event.remove(Engine, "connect", settle)


def tables(database: Path) -> set[str]:
    """Names of a database's tables; none where there is no file."""
    return {name for (name,) in rows(database, "SELECT name FROM sqlite_master WHERE type = 'table'")}


def revision(database: Path) -> str | None:
    """Revision of its schema; None where it says none."""
    if TABLE_OF_REVISIONS not in tables(database):
        return None
    return next((str(found) for (found,) in rows(database, f"SELECT version_num FROM {TABLE_OF_REVISIONS}")), None)


def rows(database: Path, query: str) -> list[tuple[Any, ...]]:
    """Ask a database that is only read, and not made where it is missing."""
    if not database.exists():
        return []
    mode = "rw" if is_writable(database) else "ro"
    with closing(sqlite3.connect(f"{database.as_uri()}?mode={mode}", uri=True, timeout=60)) as connection:
        return connection.execute(query).fetchall()


def is_writable(database: Path) -> bool:
    """Whether a database and the journal beside it can be written."""
    return os.access(database, os.W_OK) and os.access(database.parent, os.W_OK)


def is_left_half_made(database: Path, tool: Tool, schema: set[str]) -> bool:
    """Whether nothing is lost with a database: there is none, or an interrupted first use left tables without rows.

    Parameters
    ----------
    database : Path
        Which one.
    tool : Tool
        Whose it must be.
    schema : set of str
        Every table of that tool's.

    Raises
    ------
    StoreError
        If it is somebody else's.
    """
    asked = "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite#_%' ESCAPE '#'"
    found = {str(name): str(name).removeprefix(HALF_CHANGED) for (name,) in rows(database, asked)}
    others = set(found.values()) - schema - {TABLE_OF_REVISIONS}
    made = (f'SELECT 1 FROM "{name}" WHERE {tool.made.get(kind, "true")} LIMIT 1' for name, kind in found.items())
    if not others and not any(rows(database, each) for each in made):
        return True
    if not tool.core <= set(found.values()) or not tool.owns_revision(revision(database)):
        named = sorted(others or found)
        raise StoreError(
            f"{tool.option} must be a database of {tool.name}'s own, or none yet, got {database}, which has tables of "
            f"something else ({', '.join(named[:3])}{', …' if len(named) > 3 else ''}); name another one"
        )
    return False


def _make_tracking(uri: str, home: Path) -> None:
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    store = SqlAlchemyStore(uri, str(home))
    store._dispose_engine()


def _make_storage(uri: str) -> None:
    import optuna

    storage = optuna.storages.RDBStorage(uri)
    storage.remove_session()
    storage.engine.dispose()


def _require_older(database: Path, utils: Any) -> None:
    """Refuse a schema that this MLflow does not know."""
    from alembic.script import ScriptDirectory

    found = revision(database)
    known = {each.revision for each in ScriptDirectory.from_config(utils._get_alembic_config("")).walk_revisions()}
    if found not in known:
        raise StoreError(
            f"tracking_uri must have a schema that the MLflow installed here, {version('mlflow')}, knows, got "
            f"{database} with {found}; install the newer MLflow that made it"
        )


def _keep_copy(database: Path) -> None:
    """Keep a database as it is, beside it, before it is changed for good."""
    copy = database.with_name(f"{database.name}.before-{revision(database) or 'first-use'}")
    part = copy.with_name(f".{copy.name}.part")
    try:
        with closing(sqlite3.connect(database)) as here, closing(sqlite3.connect(part)) as there:
            here.backup(there)
        os.replace(part, copy)
    finally:
        with suppress(FileNotFoundError):
            part.unlink()
