"""Locks on files of this machine: who works on a study whose schedule is SQLite; workers inherit them.

A lock's file names its holder's process, and below it whether that is brief, its host and since when: a brief holder is
waited for, one that may work for hours is not.  Commands use :mod:`search.tracking.lease`, which knows of servers too.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pipeline.exceptions import StoreError
from pipeline.file_lock import file_lock, open_lock, try_lock
from search.tracking.database import database_of
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
LONGEST_NOTE = 512


@dataclass(frozen=True, kw_only=True, slots=True)
class Holder:
    """Who holds a lock.

    Parameters
    ----------
    pid, host : str
        Process and where it runs; empty is unknown.
    since : int, optional
        Seconds since 1970; None is unknown.
    brief : bool
        Whether it is waited for.
    """

    pid: str = ""
    host: str = ""
    since: int | None = None
    brief: bool = False

    def __str__(self) -> str:
        """Say process, host and since when, as far as they are known."""
        began = "" if self.since is None else f" since {datetime.fromtimestamp(self.since, UTC):%Y-%m-%d %H:%M:%S} UTC"
        return f"{self.pid or 'unknown'}{self.host and f' on {self.host}'}{began}"

    @property
    def is_here(self) -> bool:
        """Whether it is of this machine, as far as is known."""
        return self.host in ("", socket.gethostname())

    @property
    def is_gone(self) -> bool:
        """Whether it is of this machine and has ended."""
        return self.is_here and not is_alive(self.pid)


def lock_path(stores: Stores, study_name: str) -> Path:
    """File whose lock a working command holds: beside the schedule, so that every command that opens it sees it."""
    database = database_of(stores.storage_uri)
    return (stores.home if database is None else database.parent) / "locks" / f"{study_name}.lock"


def registry_path(stores: Stores, model: str) -> Path:
    """File whose lock holds a model's aliases, beside the record."""
    return stores.home / "locks" / f"{model}.registry.lock"


def study_lock(stores: Stores, study_name: str, *, wait: float = 0.0) -> AbstractContextManager[int]:
    """Hold a study against a second command on this machine, perhaps for hours.

    Gives a file descriptor that workers inherit: the lock lasts until the last
    of them is gone, so that what is found RUNNING after it is really stale.

    Raises
    ------
    StoreError
        If another command works on the study for long, or a brief one still does after ``wait`` seconds.
    """
    return _lock(lock_path(stores, study_name), owned(study_name), wait)


def brief_lock(stores: Stores, name: str) -> AbstractContextManager[int]:
    """Hold a study, or a part of its record, for a moment or some minutes: commands that come meanwhile wait.

    Raises
    ------
    StoreError
        As of :func:`study_lock`.
    """
    return _lock(lock_path(stores, name), owned(name), WAIT, note=BRIEF)


def registry_lock(stores: Stores, model: str, *, wait: float = 0.0) -> AbstractContextManager[int]:
    """Hold a model's aliases against a second command on this machine; its holders are brief."""
    return _lock(registry_path(stores, model), owned(f"{model}.registry"), wait, note=BRIEF)


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
            stack.enter_context(_lock(path, in_campaign(name)))
        yield


def owned(name: str) -> str:
    """Say what a holder's process is named after."""
    return f"study {name} in use by process"


def in_campaign(name: str) -> str:
    """Say the same of a study that a campaign will come to."""
    return f"study {name} in the campaign of process"


def in_use(what: str, holder: Holder) -> StoreError:
    """Make the error for what another command holds.

    Parameters
    ----------
    what : str
        From :func:`owned` or :func:`in_campaign`.
    holder : Holder
        Who holds it.
    """
    place = str(holder).removeprefix(holder.pid or "unknown").strip()
    return StoreError(
        f"a study is worked on by one command at a time, got {what} {holder.pid or 'unknown'}; wait for it, or stop it "
        f"and repeat this command{place and f' ({place})'}"
    )


def acquire(take: Callable[[], bool], holder: Callable[[], Holder], what: str, wait: float) -> None:
    """Take a lock, as soon as a brief holder is done.

    Parameters
    ----------
    take, holder : callable
        Whether it was free and is held now, and who holds it.
    what : str
        From :func:`owned` or :func:`in_campaign`.
    wait : float
        Seconds that a brief holder is waited for.

    Raises
    ------
    StoreError
        If it is held by one that may work for hours, or for longer than that.
    """
    started, said = time.monotonic(), False
    while not take():
        found = holder()
        waited = time.monotonic() - started
        if waited >= _patience(found, wait):
            raise in_use(what, found)
        if waited >= SAY_AFTER and not said:
            named = (found.pid or "unknown") if found.is_here else str(found)
            print(f"note: {what} {named}: waiting for it", file=sys.stderr, flush=True)
            said = True
        time.sleep(POLL_SECONDS)


@contextmanager
def _lock(path: Path, what: str, wait: float = 0.0, note: str = "") -> Iterator[int]:
    handle = open_lock(path)
    try:
        acquire(lambda: try_lock(handle), lambda: _read(handle), what, wait)
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n{note}\n{socket.gethostname()}\n{int(time.time())}".encode(), 0)
        yield handle
    finally:
        os.close(handle)


def _read(handle: int) -> Holder:
    """Read who a lock's file names."""
    held = os.pread(handle, LONGEST_NOTE, 0).decode(errors="replace").split("\n")
    pid, note, host, since = [*held, "", "", ""][:4]
    brief = note == BRIEF or not pid
    return Holder(pid=pid, host=host, since=int(since) if since.isdecimal() else None, brief=brief)


def _patience(holder: Holder, wait: float) -> float:
    """Seconds to wait for a holder in all; what stands in its file may still be of the one before, or nothing yet."""
    if holder.is_gone:
        return max(wait, DEAD_OWNER_SECONDS) if holder.brief else DEAD_OWNER_SECONDS
    return wait if holder.brief else POLL_SECONDS


def is_locked(stores: Stores, study_name: str) -> bool:
    """Whether a command on this machine works on the study."""
    return locked_by(lock_path(stores, study_name)) is not None


def locked_by(path: Path) -> Holder | None:
    """Who holds the lock of a file; None if nobody does."""
    if not path.exists():
        return None
    handle = os.open(path, os.O_RDONLY)
    try:
        return None if try_lock(handle, shared=True) else _read(handle)
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
