"""The two stores: MLflow for the record, Optuna's relational storage for scheduling."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.exceptions import StoreError, describe_error
from pipeline.redaction import keep_secret, keep_secret_variables, secrets_of
from search.tracking.address import (
    STORAGE_VARIABLE,
    connect_options,
    for_optuna,
    place_of,
    reach,
    require_driver,
    require_readable,
    with_driver,
)
from search.tracking.advisory import first_use
from search.tracking.database import SQLITE as SQLITE
from search.tracking.database import database_of, prepare_storage, prepare_tracking, remove_misread, uri_of
from search.tracking.location import ARTIFACTS, follow_database
from search.tracking.patience import wait_for
from search.tracking.schema import require_database

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from optuna.storages import RDBStorage

RECORD_DIRECTORY = "mlruns"
TRACKING_FILE = "mlflow.db"
STORAGE_FILE = "optuna.db"
_reached: set[str] = set()
"""Addresses of servers to which this process was connected."""
SERVERS = ("postgresql", "mysql", "mssql")
MEMORY = (":memory:", "mode=memory")
HEARTBEAT_SECONDS, HEARTBEAT_GRACE_SECONDS = 60, 180


@dataclass(frozen=True, kw_only=True, slots=True)
class Stores:
    """Where the record and the schedule live.

    Parameters
    ----------
    tracking_uri, storage_uri : str
        Of MLflow and of Optuna; a password in one is in no message from here on.
    home : Path
        Directory for what lies beside them: locks, and artifacts of an embedded store.
    """

    tracking_uri: str = field(repr=False)
    storage_uri: str = field(repr=False)
    home: Path

    def __post_init__(self) -> None:
        keep_secret_variables()
        keep_secret(*secrets_of(self.tracking_uri), *secrets_of(self.storage_uri))

    @property
    def artifact_location(self) -> str | None:
        """Where an embedded store keeps artifacts; a server decides for itself."""
        return (self.home / ARTIFACTS).as_uri() if self.tracking_uri.startswith(SQLITE) else None

    @property
    def tracking_database(self) -> Path | None:
        """File of an embedded tracking store."""
        return database_of(self.tracking_uri)


def resolve_stores(tracking_uri: str = "", storage: str = "") -> Stores:
    """Fill in what the user left open, without touching anything.

    The tracking store is the given one, else ``MLFLOW_TRACKING_URI``, else
    ``mlruns/mlflow.db`` here; Optuna's storage is the given one, else ``PATCHSCALE_STORAGE``,
    else ``optuna.db`` beside an embedded tracking store, else in ``mlruns``.

    Raises
    ------
    StoreError
        If one is no store that every process of this project can open, or both are one.
    """
    default = uri_of(Path.cwd() / RECORD_DIRECTORY / TRACKING_FILE)
    tracking_uri = tracking_uri or os.environ.get("MLFLOW_TRACKING_URI", "") or default
    _require_shared("tracking_uri", tracking_uri, (*SERVERS, "http", "https"))
    home = Path.cwd() / RECORD_DIRECTORY
    database = database_of(tracking_uri)
    if database is not None:
        home, tracking_uri = database.parent, uri_of(database)
    storage = storage or os.environ.get(STORAGE_VARIABLE, "") or uri_of(home / STORAGE_FILE)
    _require_shared("storage", storage, SERVERS)
    database = database_of(storage)
    stores = Stores(tracking_uri=tracking_uri, storage_uri=uri_of(database) if database else storage, home=home)
    _require_two(stores)
    return stores


def _require_two(stores: Stores) -> None:
    """Refuse one database for both: each tool writes its schema's revision into a table of one name, and reads it."""
    first, second = database_of(stores.tracking_uri), database_of(stores.storage_uri)
    if first is None or second is None:
        is_one = first is second and place_of(stores.tracking_uri) == place_of(stores.storage_uri)
    else:
        is_one = first == second or (first.exists() and second.exists() and first.samefile(second))
    if is_one:
        raise StoreError(
            f"tracking_uri and storage must be two databases, for MLflow and Optuna each keep a schema of their own, "
            f"got {stores.storage_uri} for both; name another one, or leave --storage out"
        )


def prepare_home(stores: Stores) -> None:
    """Make the record directory, and the link by which plain ``mlflow ui`` finds its database.

    Raises
    ------
    StoreError
        If it can't be written.
    """
    link, here = Path.cwd() / TRACKING_FILE, Path.cwd() / RECORD_DIRECTORY
    if stores.home == Path(os.path.realpath(here)):
        try:
            here.mkdir(exist_ok=True)
            with suppress(FileExistsError):
                link.symlink_to(Path(RECORD_DIRECTORY) / TRACKING_FILE)
        except OSError as error:
            raise StoreError(_unreachable("tracking_uri", stores.tracking_uri, error)) from error


def open_tracking(stores: Stores, *, migrate: bool = False) -> MlflowClient:
    """Connect to the tracking store; an embedded one is made when it is not there.

    The records of an embedded one that lies elsewhere than it did follow it.

    Parameters
    ----------
    stores : Stores
        Whose.
    migrate : bool
        Whether an embedded one of an older MLflow may be brought to the schema of this one.

    Raises
    ------
    StoreError
        If it can't be reached, or is of another schema.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    database = _require_directory("tracking_uri", stores.tracking_uri)
    from mlflow.tracking._tracking_service.utils import _artifact_repos_cache

    require_driver("tracking_uri", stores.tracking_uri)

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # they log what they raise
    try:
        if database is not None:
            prepare_tracking(database, migrate=migrate)
        uri = with_driver(stores.tracking_uri)
        if not uri.startswith((SQLITE, "http")) and uri not in _reached:
            reach(uri)
        client = _make_client(uri)
        _artifact_repos_cache.clear()  # of stores that lay elsewhere when this process opened them
        if database is not None:
            remove_misread(stores.tracking_uri)
            follow_database(database)
    except StoreError:
        raise
    except Exception as error:
        raise StoreError(_unreachable("tracking_uri", stores.tracking_uri, error)) from error
    return client


def open_storage(stores: Stores) -> RDBStorage:
    """Connect to Optuna's storage; an embedded one is made when it is not there.

    Raises
    ------
    StoreError
        If it can't be reached.
    """
    database = _require_directory("storage", stores.storage_uri)
    import optuna

    require_driver("storage", stores.storage_uri)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    options = connect_options(stores.storage_uri)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            if database is not None:
                prepare_storage(database)
            return _make_storage(
                stores.storage_uri,
                engine_kwargs=options,
                heartbeat_interval=HEARTBEAT_SECONDS,
                grace_period=HEARTBEAT_GRACE_SECONDS,
            )
    except StoreError:
        raise
    except Exception as error:
        raise StoreError(_unreachable("storage", stores.storage_uri, error)) from error


def _make_client(uri: str) -> MlflowClient:
    """Connect a client, and ask for something; a server's is patient from then on."""
    from mlflow import MlflowClient

    if uri.startswith(SQLITE):
        from search.tracking.guarded_client import GuardedClient

        client = GuardedClient(tracking_uri=uri, registry_uri=uri)
        client.search_experiments(max_results=1)
        return client
    from search.tracking.patient_client import PatientClient

    def connect() -> MlflowClient:
        client = PatientClient(tracking_uri=uri, registry_uri=uri)
        MlflowClient.search_experiments(client, max_results=1)
        return client

    return _reach("tracking_uri", "MLflow's store", uri, connect)


def _make_storage(uri: str, **options: Any) -> RDBStorage:
    """Connect Optuna's storage; a server's is patient from then on."""
    from optuna.storages import RDBStorage

    if uri.startswith(SQLITE):
        return RDBStorage(for_optuna(uri), **options)
    from search.tracking.patient_storage import PatientStorage

    return _reach(
        "storage", "the scheduling store", with_driver(uri), lambda: PatientStorage(for_optuna(uri), **options)
    )


def expect(*uris: str) -> None:
    """Take these stores for reached: another process has just been connected, so who finds one away waits for it."""
    _reached.update(map(with_driver, uris))


def _reach(option: str, about: str, uri: str, connect: Callable[[], Any]) -> Any:
    """Connect to a server: the first time at once or not, since its address may be wrong; later with patience."""
    if uri in _reached:
        return wait_for(about, connect)
    with first_use(option, uri):
        found = connect()
    _reached.add(uri)
    return found


def _require_shared(option: str, uri: str, schemes: Sequence[str]) -> None:
    """Refuse a store that lives in one process, or is of a kind that nobody here opens."""
    embedded = uri.startswith(SQLITE) and uri != SQLITE and "?" not in uri
    if any(mark in uri for mark in MEMORY) or not (embedded or uri.partition(":")[0].partition("+")[0] in schemes):
        shown = "no address" if "@" in uri and "://" not in uri else uri
        raise StoreError(
            f"{option} must be a store that every process can open, {SQLITE}FILE or one of {', '.join(schemes)}, got "
            f"{shown}; leave --{option.replace('_', '-')} out for the one under {RECORD_DIRECTORY}"
        )
    require_readable(option, uri)


def _require_directory(option: str, uri: str) -> Path | None:
    """Make the directory of an embedded store where only that is missing; give its file, if that can be a database."""
    database = database_of(uri)
    if database is not None:
        parent = database.parent
        if not parent.is_dir() and parent.name != RECORD_DIRECTORY:
            raise StoreError(f"{option} must lie in a directory that exists, got {uri}; make {parent} first")
        try:
            parent.mkdir(exist_ok=True)
            require_database(option, database)
        except OSError as error:
            raise StoreError(_unreachable(option, uri, error)) from error
    return database


def _unreachable(option: str, uri: str, error: Exception) -> str:
    return f"{option} must be a store that can be reached, got {uri} ({describe_error(error)}); check it"
