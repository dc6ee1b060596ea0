"""Locks of this machine: who works on a study, a campaign or a model's aliases; workers inherit them.

A lock's file names its holder's process, and below it whether that is brief: a brief holder is waited for, one that
may work for hours is not.
"""

from __future__ import annotations

import os
import sys
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
SAY_AFTER = 1.0
"""Seconds after which it says so."""
BRIEF = "brief"
"""Second line of a lock's file whose holder is waited for; older code wrote the number of the process alone."""


def lock_path(stores: Stores, study_name: str) -> Path:
    """File whose lock a working command holds."""
    return stores.home / "locks" / f"{study_name}.lock"


def study_lock(stores: Stores, study_name: str, *, wait: float = 0.0) -> AbstractContextManager[int]:
    """Hold a study against a second command on this machine, perhaps for hours.

    Gives a file descriptor that workers inherit: the lock lasts until the last
    of them is gone, so that what is found RUNNING after it is really stale.

    Raises
    ------
    StoreError
        If another command works on the study for long, or a brief one still does after ``wait`` seconds.
    """
    return _lock(lock_path(stores, study_name), _owned(study_name), wait)


def brief_lock(stores: Stores, name: str) -> AbstractContextManager[int]:
    """Hold a study, or a part of its record, for a moment or some minutes: commands that come meanwhile wait.

    Raises
    ------
    StoreError
        As of :func:`study_lock`.
    """
    return _lock(lock_path(stores, name), _owned(name), WAIT, note=BRIEF)


def registry_lock(stores: Stores, model: str, *, wait: float = 0.0) -> AbstractContextManager[int]:
    """Hold a model's aliases against a second command on this machine; its holders are brief."""
    name = f"{model}.registry"
    return _lock(lock_path(stores, name), _owned(name), wait, note=BRIEF)


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


def _owned(name: str) -> str:
    return f"study {name} in use by process"


@contextmanager
def _lock(path: Path, owned: str, wait: float = 0.0, note: str = "") -> Iterator[int]:
    handle = open_lock(path)
    try:
        _acquire(handle, owned, wait)
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n{note}".encode(), 0)
        yield handle
    finally:
        os.close(handle)


def _acquire(handle: int, owned: str, wait: float) -> None:
    started, said = time.monotonic(), False
    while not try_lock(handle):
        owner, _, note = os.pread(handle, 32, 0).decode().partition("\n")
        waited = time.monotonic() - started
        if waited >= _patience(owner, note, wait):
            raise StoreError(
                f"a study is worked on by one command at a time, got {owned} {owner or 'unknown'}; "
                "wait for it, or stop it and repeat this command"
            )
        if waited >= SAY_AFTER and not said:
            print(f"note: {owned} {owner or 'unknown'}: waiting for it", file=sys.stderr, flush=True)
            said = True
        time.sleep(POLL_SECONDS)


def _patience(owner: str, note: str, wait: float) -> float:
    """Seconds to wait for a holder in all; what stands in its file may still be of the one before, or nothing yet."""
    brief = note == BRIEF or not owner
    if is_alive(owner):
        return wait if brief else POLL_SECONDS
    return max(wait, DEAD_OWNER_SECONDS) if brief else DEAD_OWNER_SECONDS


def is_locked(stores: Stores, study_name: str) -> bool:
    """Whether a command on this machine works on the study."""
    path = lock_path(stores, study_name)
    if not path.exists():
        return False
    handle = os.open(path, os.O_RDONLY)
    try:
        return not try_lock(handle, shared=True)
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
