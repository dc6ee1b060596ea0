"""Locks of this machine: who works on a study, a campaign or a model's aliases; workers inherit them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

from pipeline.exceptions import StoreError
from pipeline.file_lock import file_lock, open_lock, try_lock
from search.tracking.stores import Stores

DEAD_OWNER_SECONDS = 90
"""How long a lock may outlive the command that took it, in workers that are still to notice its end."""
POLL_SECONDS = 0.2
WAIT = 600.0
"""Seconds that a command waits for what another is about to finish, where it has its own work to do with it."""


def lock_path(stores: Stores, study_name: str) -> Path:
    """File whose lock a working command holds."""
    return stores.home / "locks" / f"{study_name}.lock"


def study_lock(stores: Stores, study_name: str, *, wait: float = 0.0) -> AbstractContextManager[int]:
    """Hold a study against a second command on this machine.

    Gives a file descriptor that workers inherit: the lock lasts until the last
    of them is gone, so that what is found RUNNING after it is really stale.

    Raises
    ------
    StoreError
        If another command still works on the study after ``wait`` seconds.
    """
    return _lock(lock_path(stores, study_name), f"study {study_name} in use by process", wait)


def registry_lock(stores: Stores, model: str, *, wait: float = 0.0) -> AbstractContextManager[int]:
    """Hold a model's aliases against a second command on this machine; like :func:`study_lock`."""
    return study_lock(stores, f"{model}.registry", wait=wait)


def store_lock(stores: Stores, what: str = "store") -> AbstractContextManager[int]:
    """Hold what all studies of a store share, for a moment: others wait."""
    return file_lock(stores.home / "locks" / f"{what}.lock")


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
def _lock(path: Path, owned: str, wait: float = 0.0) -> Iterator[int]:
    handle = open_lock(path)
    try:
        _acquire(handle, owned, wait)
        yield handle
    finally:
        os.close(handle)


def _acquire(handle: int, owned: str, wait: float) -> None:
    started = time.monotonic()
    while not try_lock(handle):
        owner = os.pread(handle, 32, 0).decode().strip()
        if time.monotonic() - started >= (wait if is_alive(owner) else max(wait, DEAD_OWNER_SECONDS)):
            raise StoreError(
                f"a study is worked on by one command at a time, got {owned} {owner or 'unknown'}; "
                "wait for it, or stop it and repeat this command"
            )
        time.sleep(POLL_SECONDS)
    os.ftruncate(handle, 0)
    os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)


def is_locked(stores: Stores, study_name: str) -> bool:
    """Whether a command on this machine works on the study."""
    path = lock_path(stores, study_name)
    if not path.exists():
        return False
    handle = os.open(path, os.O_RDONLY)
    try:
        return not try_lock(handle)
    finally:
        os.close(handle)


def is_alive(pid: str) -> bool:
    """Whether a process of this host has this number; False for a text that is none."""
    try:
        os.kill(int(pid), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        pass
    return True
