"""How many worker processes a command starts."""

from __future__ import annotations

import os

from pipeline.exceptions import InputError


def count_workers(text: str, device: str) -> int:
    """Read ``--workers``: ``auto`` is one process per core, and one process on a GPU.

    Examples
    --------
    >>> count_workers("3", "cpu"), count_workers("auto", "cuda")
    (3, 1)
    """
    if text == "auto":
        return 1 if device == "cuda" else count_cores()
    if not (text.isdecimal() and text.isascii()) or int(text) < 1:
        raise InputError(f"workers must be auto or a whole number, at least 1, got {text!r}")
    return int(text)


def count_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
