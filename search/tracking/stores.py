"""The two stores: MLflow for the record, Optuna's relational storage for scheduling."""

from __future__ import annotations

import logging
import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.exceptions import StoreError

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from optuna.storages import RDBStorage

RECORD_DIRECTORY = "mlruns"
TRACKING_FILE = "mlflow.db"
STORAGE_FILE = "optuna.db"
SQLITE = "sqlite:///"
SQLITE_TIMEOUT_SECONDS = 60
HEARTBEAT_SECONDS, HEARTBEAT_GRACE_SECONDS = 60, 180


@dataclass(frozen=True, kw_only=True, slots=True)
class Stores:
    """Where the record and the schedule live.

    Parameters
    ----------
    tracking_uri, storage_uri : str
        Of MLflow and of Optuna.
    home : Path
        Directory for what lies beside them: locks, and artifacts of an embedded store.
    """

    tracking_uri: str
    storage_uri: str
    home: Path

    @property
    def artifact_location(self) -> str | None:
        """Where an embedded store keeps artifacts; a server decides for itself."""
        return (self.home / "artifacts").as_uri() if self.tracking_uri.startswith(SQLITE) else None


def resolve_stores(tracking_uri: str = "", storage: str = "") -> Stores:
    """Fill in what the user left open, without touching anything.

    The tracking store is the given one, else ``MLFLOW_TRACKING_URI``, else
    ``mlruns/mlflow.db`` here; Optuna's storage is the given one, else ``optuna.db``
    beside an embedded tracking store, else in ``mlruns``.
    """
    default = f"{SQLITE}{Path.cwd() / RECORD_DIRECTORY / TRACKING_FILE}"
    tracking_uri = tracking_uri or os.environ.get("MLFLOW_TRACKING_URI", "") or default
    home = Path.cwd() / RECORD_DIRECTORY
    if tracking_uri.startswith(SQLITE):
        database = Path(os.path.realpath(tracking_uri.removeprefix(SQLITE)))
        home, tracking_uri = database.parent, f"{SQLITE}{database}"
    return Stores(tracking_uri=tracking_uri, storage_uri=storage or f"{SQLITE}{home / STORAGE_FILE}", home=home)


def prepare_home(stores: Stores) -> None:
    """Make the record directory, and the link by which plain ``mlflow ui`` finds its database."""
    link, here = Path.cwd() / TRACKING_FILE, Path.cwd() / RECORD_DIRECTORY
    if stores.home == Path(os.path.realpath(here)):
        here.mkdir(exist_ok=True)
        if not os.path.lexists(link):
            link.symlink_to(Path(RECORD_DIRECTORY) / TRACKING_FILE)


def open_tracking(stores: Stores) -> MlflowClient:
    """Connect to the tracking store; an embedded one is made when it is not there.

    Raises
    ------
    StoreError
        If it can't be reached.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    _require_directory("tracking_uri", stores.tracking_uri)
    from mlflow import MlflowClient

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        client = MlflowClient(tracking_uri=stores.tracking_uri)
        client.search_experiments(max_results=1)
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
    _require_directory("storage", stores.storage_uri)
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    embedded = stores.storage_uri.startswith(SQLITE)
    options: dict[str, Any] = {"connect_args": {"timeout": SQLITE_TIMEOUT_SECONDS}} if embedded else {}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            return optuna.storages.RDBStorage(
                stores.storage_uri,
                engine_kwargs=options,
                heartbeat_interval=HEARTBEAT_SECONDS,
                grace_period=HEARTBEAT_GRACE_SECONDS,
            )
    except Exception as error:
        raise StoreError(_unreachable("storage", stores.storage_uri, error)) from error


def _require_directory(option: str, uri: str) -> None:
    if uri.startswith(SQLITE):
        parent = Path(uri.removeprefix(SQLITE)).absolute().parent
        if not parent.is_dir() and parent.name != RECORD_DIRECTORY:
            raise StoreError(f"{option} must lie in a directory that exists, got {uri}; make {parent} first")
        try:
            parent.mkdir(exist_ok=True)
        except OSError as error:
            raise StoreError(_unreachable(option, uri, error)) from error


def _unreachable(option: str, uri: str, error: Exception) -> str:
    reason = " ".join(str(error).split())[:200]
    return f"{option} must be a store that can be reached, got {uri} ({type(error).__name__}: {reason}); check it"
