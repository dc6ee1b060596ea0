"""The C library's allocator: memory that a training step frees stays for the next step, and lies in huge pages.

As glibc comes, it hands freed memory back to the system, and every page of the next step's activations is then
faulted in and zeroed anew: up to a tenth of a step.  Looking up pages of 4 KiB takes as much again: a step goes
once through hundreds of megabytes, and a processor has the addresses of few megabytes of such pages at hand.
"""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

TRIM_THRESHOLD, MMAP_THRESHOLD, MMAP_MAX = -1, -3, -4
KEPT_AT_MOST = 2**31 - 1
LARGEST_KEPT_BLOCK = 2**25
MOST_MAPPED = 2**16
IN_HUGE_PAGES = 2**30


def keep_freed_memory() -> None:
    """From now on keep up to 2 GiB of freed memory in the process; nothing happens without glibc."""
    if (library := _glibc()) is not None:
        library.mallopt(TRIM_THRESHOLD, KEPT_AT_MOST)
        library.mallopt(MMAP_THRESHOLD, LARGEST_KEPT_BLOCK)
        _ask_for_huge_pages(library)


def _ask_for_huge_pages(library: ctypes.CDLL) -> None:
    """Ask for huge pages in the next GiB of the heap, which takes addresses and, until it is used, no memory.

    The block has to come from the heap, not from a mapping of its own, so that it is the heap's again when freed.
    """
    library.mallopt(MMAP_MAX, 0)
    address = library.malloc(IN_HUGE_PAGES)
    library.mallopt(MMAP_MAX, MOST_MAPPED)
    if address:
        skipped = -address % mmap.PAGESIZE
        library.madvise(address + skipped, IN_HUGE_PAGES - mmap.PAGESIZE, mmap.MADV_HUGEPAGE)
        library.free(address)


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
    library.malloc.argtypes, library.malloc.restype = [ctypes.c_size_t], ctypes.c_void_p
    library.free.argtypes = [ctypes.c_void_p]
    library.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    return library
