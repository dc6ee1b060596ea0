"""A lock on a file: held by one process at a time, and freed with it, however it ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.exceptions import StoreError


@contextmanager
def file_lock(path: Path) -> Iterator[int]:
    """Hold a lock inside, however long another holds it before; give its file descriptor.

    Raises
    ------
    StoreError
        If its file can't be written.
    """
    handle = open_lock(path)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield handle
    finally:
        os.close(handle)


def open_lock(path: Path) -> int:
    """Open the file of a lock, made where it is not there yet, without taking it.

    Raises
    ------
    StoreError
        If it can't be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_CREAT | os.O_RDWR)
    except OSError as error:
        raise StoreError(
            f"a command that writes must be able to make its lock, got {path} ({error.strerror}); "
            "free space or make the directory writable, or work on a copy of it"
        ) from error


def try_lock(handle: int, *, shared: bool = False) -> bool:
    """Take an open lock if nobody holds it, or where it is shared nobody alone; say whether it was free."""
    try:
        fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
