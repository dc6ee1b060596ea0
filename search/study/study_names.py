"""Names of the studies that there are, and what to say of one that there is not."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher
from typing import Any

from pipeline.exceptions import StoreError

SHOWN = 5


def study_names(storage: Any) -> list[str]:
    """Name every study that has a schedule in a storage."""
    return [str(each.study_name) for each in storage.get_all_studies()]


def nearest(name: str, names: Iterable[str]) -> list[str]:
    """Order names, those most like this one first.

    Examples
    --------
    >>> nearest("spy-h3", ["QQQ-h1-2M", "SPY-h1-2M", "SPY-h3-2M"])
    ['SPY-h3-2M', 'SPY-h1-2M', 'QQQ-h1-2M']
    """
    return sorted(names, key=lambda each: (-SequenceMatcher(None, name.lower(), each.lower()).ratio(), each))


def unknown_study(storage: Any, name: str) -> StoreError:
    """Make the error that names the studies of a storage, nearest first."""
    rule, names = f"study must be one that patchscale made, got {name!r}", study_names(storage)
    if not names:
        return StoreError(f"{rule}, and there is none yet; patchscale hpo makes one")
    shown = ", ".join(nearest(name, names)[:SHOWN])
    more = f" and {len(names) - SHOWN} more, see patchscale status" if len(names) > SHOWN else ""
    return StoreError(f"{rule}; there are {shown}{more}")
