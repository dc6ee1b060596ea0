"""The C library's allocator: memory that a training step frees stays for the next step.

As glibc comes, it hands freed memory back to the system, and every page of the next step's activations is then
faulted in and zeroed anew: up to a tenth of a step.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
KEPT_AT_MOST = 2**31 - 1
LARGEST_KEPT_BLOCK = 2**25


def keep_freed_memory() -> None:
    """From now on keep up to 2 GiB of freed memory in the process; nothing happens without glibc."""
    if (library := _glibc()) is not None:
        library.mallopt(TRIM_THRESHOLD, KEPT_AT_MOST)
        library.mallopt(MMAP_THRESHOLD, LARGEST_KEPT_BLOCK)


def give_back_freed_memory() -> None:
    """Hand to the system what has been kept."""
    if (library := _glibc()) is not None:
        library.malloc_trim(0)


@contextmanager
def freed_memory_kept(device: str) -> Iterator[None]:
    """Keep freed memory inside, where the work is a CPU's, and hand it back after."""
    if device == "cpu":
        keep_freed_memory()
    try:
        yield
    finally:
        give_back_freed_memory()


@cache
def _glibc() -> ctypes.CDLL | None:
    """Find the C library where it is glibc: others lack these functions."""
    try:
        library = ctypes.CDLL(None)
        library.gnu_get_libc_version, library.mallopt, library.malloc_trim  # noqa: B018
    except (AttributeError, OSError, TypeError):
        return None
    return library
