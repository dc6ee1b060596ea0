"""The two stores: MLflow for the record, Optuna's relational storage for scheduling."""

from __future__ import annotations

import fcntl
import logging
import os
import time
import warnings
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
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
LOCK_WAIT_SECONDS = 90
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
        database = Path(tracking_uri.removeprefix(SQLITE)).absolute()
        database = Path(os.path.realpath(database))
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


def lock_path(stores: Stores, study_name: str) -> Path:
    """File whose lock a working command holds."""
    return stores.home / "locks" / f"{study_name}.lock"


@contextmanager
def study_lock(stores: Stores, study_name: str) -> Iterator[int]:
    """Hold a study against a second command on this machine.

    Yields a file descriptor that workers inherit: the lock lasts until the last
    of them is gone, so that what is found RUNNING after it is really stale.

    Raises
    ------
    StoreError
        If another command works on the study.
    """
    with _lock(lock_path(stores, study_name), f"study {study_name} in use by process") as handle:
        yield handle


@contextmanager
def campaign_lock(stores: Stores, study_names: Iterable[str]) -> Iterator[None]:
    """Hold the studies that a campaign will come to against a second campaign on this machine.

    Raises
    ------
    StoreError
        If another campaign has queued one of them and is still at work.
    """
    with ExitStack() as stack:
        for name in study_names:
            path = lock_path(stores, name).with_suffix(".campaign")
            stack.enter_context(_lock(path, f"study {name} in the campaign of process"))
        yield


@contextmanager
def _lock(path: Path, owned: str) -> Iterator[int]:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_CREAT | os.O_RDWR)
    try:
        _acquire(handle, owned)
        yield handle
    finally:
        os.close(handle)


def _acquire(handle: int, owned: str) -> None:
    deadline = time.monotonic() + LOCK_WAIT_SECONDS
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
            return
        except BlockingIOError:
            owner = os.pread(handle, 32, 0).decode().strip()
            if is_alive(owner) or time.monotonic() > deadline:
                raise StoreError(
                    f"a study is worked on by one command at a time, got {owned} {owner or 'unknown'}; "
                    "wait for it, or stop it and repeat this command"
                ) from None
            time.sleep(0.2)


def is_alive(pid: str) -> bool:
    """Whether a process of this host has this number; False for a text that is none."""
    try:
        os.kill(int(pid), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        pass
    return True


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
