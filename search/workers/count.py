"""How many worker processes a command starts."""

from __future__ import annotations

import os

from model.training.device import kind_of
from search.study.values import process_count


def count_workers(text: str, device: str) -> int:
    """Read ``--workers``: ``auto`` is one process per core, and one process on a GPU.

    Examples
    --------
    >>> count_workers("3", "cpu"), count_workers("auto", "cuda")
    (3, 1)
    """
    if process_count("workers", text) != "auto":
        return int(text)
    return 1 if kind_of(device).one_trial else count_cores()


def count_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
