"""Embedded databases: made whole or not at all, by one process at a time, and brought to a newer schema when asked."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from glob import escape
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from pipeline.exceptions import StoreError
from pipeline.file_lock import file_lock

SQLITE = "sqlite:///"
READ_OTHERWISE = "%?#"
"""Letters of a path that mean something else in an address."""
TABLE_OF_REVISIONS = "alembic_version"
TRACKED = {"runs": "true", "registered_models": "true", "experiments": "experiment_id != 0"}
SCHEDULED = {"studies": "true"}
"""Tables whose rows somebody made, and which of them."""


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
    with file_lock(lock_of(database)):
        if wanted <= tables(database) and revision(database) == head:
            return
        if _holds_nothing(database, TRACKED):
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
    wanted = {"studies", "trials", "version_info", TABLE_OF_REVISIONS}
    if wanted <= tables(database) and revision(database) is not None:
        return
    with file_lock(lock_of(database)):
        if not (wanted <= tables(database) and revision(database) is not None) and _holds_nothing(database, SCHEDULED):
            make_database(database, _make_storage)


def make_database(database: Path, make: Callable[[str], None]) -> None:
    """Make a database under another name, and give it its own when it is whole.

    The caller holds its lock: what an interrupted one left is taken away.  So the disk is waited for once, at the end,
    and not after each of the many steps of a schema.
    """
    for left in database.parent.glob(f".{escape(database.name)}.*.part*"):
        left.unlink(missing_ok=True)
    part = database.with_name(f".{database.name}.{os.getpid()}.part")
    try:
        with _without_waiting(part):
            make(uri_of(part))
        with part.open("rb") as whole:
            os.fsync(whole.fileno())
        os.replace(part, database)
    finally:
        for left in database.parent.glob(f"{escape(part.name)}*"):
            left.unlink(missing_ok=True)


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


def _holds_nothing(database: Path, kinds: Mapping[str, str]) -> bool:
    """Whether nothing is lost with a database: there is none, or an interrupted first use left it half made."""
    found = tables(database)
    return not any(
        rows(database, f"SELECT 1 FROM {kind} WHERE {which} LIMIT 1") for kind, which in kinds.items() if kind in found
    )


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
    copy = database.with_name(f"{database.name}.before-{revision(database)}")
    part = copy.with_name(f".{copy.name}.part")
    try:
        with closing(sqlite3.connect(database)) as here, closing(sqlite3.connect(part)) as there:
            here.backup(there)
        os.replace(part, copy)
    finally:
        with suppress(FileNotFoundError):
            part.unlink()
