"""Locks on files of this machine: who works on a study whose schedule is SQLite; workers inherit them.

A lock's file names its holder's process, and below it whether that is brief, its host and since when: a brief holder is
waited for, one that may work for hours is not.  Commands use :mod:`search.tracking.lease`, which knows of servers too.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

from pipeline.exceptions import InputError
from pipeline.file_lock import file_lock, open_lock, try_lock
from pipeline.named_file import own_file
from search.tracking.database import database_of
from search.tracking.holder import BRIEF as BRIEF
from search.tracking.holder import POLL_SECONDS as POLL_SECONDS
from search.tracking.holder import SAY_AFTER as SAY_AFTER
from search.tracking.holder import WAIT, Holder, acquire, in_campaign, owned
from search.tracking.stores import Stores

LONGEST_NOTE = 512
STORE, IMPORT = "store", "legacy-import"
"""Locks of what all studies share: they lie where those of studies do, where older code looks for them."""
PARTS = ("baselines", "registration", "walkforward", "report", "campaign", "registry", "store")
"""Ends of the names of locks of a part of a study, or of what belongs to one."""


def part_of(study_name: str, part: str) -> str:
    """Name of the lock of a part of a study: no new study may have it, see :func:`require_free_name`."""
    assert part in PARTS
    return f"{study_name}.{part}"


def require_free_name(stores: Stores, study_name: str) -> None:
    """Refuse a new study whose lock would be that of something else, which it would wait for without end.

    Raises
    ------
    InputError
        If the name is that of a lock, or ends as those of parts of studies do.
    """
    databases = map(database_of, (stores.tracking_uri, stores.storage_uri))
    shared = {STORE, IMPORT, *(each.name for each in databases if each is not None)}
    _, dot, end = study_name.casefold().rpartition(".")
    if study_name.casefold() in map(str.casefold, shared) or (dot and end in PARTS):
        raise InputError(
            f"study must have a name that no other lock of the store has, none of {', '.join(sorted(shared))} and none "
            f"that ends in {', '.join(f'.{part}' for part in PARTS)}, got {study_name!r}; choose another, as "
            f"{study_name.replace('.', '-')}-1"
        )


def lock_path(stores: Stores, study_name: str) -> Path:
    """File whose lock a working command holds: beside the schedule, so that every command that opens it sees it."""
    database = database_of(stores.storage_uri)
    return own_file((stores.home if database is None else database.parent) / "locks", study_name, ".lock")


def registry_path(stores: Stores, model: str) -> Path:
    """File whose lock holds a model's aliases, beside the record."""
    return own_file(stores.home / "locks", model, ".registry.lock")


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


def brief_lock(stores: Stores, name: str, *, wait: float = WAIT) -> AbstractContextManager[int]:
    """Hold a study, or a part of its record, for a moment or some minutes: commands that come meanwhile wait.

    Raises
    ------
    StoreError
        As of :func:`study_lock`.
    """
    return _lock(lock_path(stores, name), owned(name), wait, note=BRIEF)


def registry_lock(stores: Stores, model: str, *, wait: float = 0.0) -> AbstractContextManager[int]:
    """Hold a model's aliases against a second command on this machine; its holders are brief."""
    return _lock(registry_path(stores, model), owned(part_of(model, "registry")), wait, note=BRIEF)


def store_lock(stores: Stores, what: str = STORE) -> AbstractContextManager[int]:
    """Hold what all studies of a store share, for a moment: others wait."""
    return file_lock(own_file(stores.home / "locks", what, ".lock"))


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
