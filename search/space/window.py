"""The axes of the window: how many days a model sees, and how they are cut into patches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from itertools import product
from typing import Any

from model.spec.architecture import Architecture
from pipeline.exceptions import InputError
from search.space.axes import WINDOW_AXES, Axes, axis_text

STANDARD = {each.name: each.default for each in fields(Architecture) if each.name in WINDOW_AXES}
RULE = (
    "every day of a window must lie in a patch: patch_length at most context_length, stride at most patch_length and a "
    "divisor of context_length - patch_length"
)
SHOWN = 6
"""Combinations that are named of those that a grid leaves out."""


def standard_window(settings: Mapping[str, Any]) -> dict[str, int]:
    """Values that the axes of the window have where none is asked for.

    Examples
    --------
    >>> standard_window({"patch_length": 5})
    {'context_length': 60, 'patch_length': 5, 'stride': 5}
    """
    return {name: settings.get(name, value) for name, value in STANDARD.items()}


def possible_windows(axes: Axes, settings: Mapping[str, Any]) -> list[dict[str, int]]:
    """Give every combination of the asked values that keeps the rule; what is not asked for stays as it is.

    Parameters
    ----------
    axes : Axes
        Those of the window are empty where nothing is asked for.
    settings : mapping
        Of every architecture.

    Raises
    ------
    InputError
        If no combination keeps the rule.

    Examples
    --------
    >>> possible_windows(Axes(context_length=(20, 30), patch_length=(10,), stride=(10, 20)), {})
    [{'context_length': 20, 'patch_length': 10, 'stride': 10}, {'context_length': 30, 'patch_length': 10, 'stride': 10}]
    """
    asked = axes.with_window(standard_window(settings))
    if not axes.asks_for_window:
        return [standard_window(settings)]
    found = [each for each in _combinations(asked) if _keeps_rule(**each)]
    if not found:
        got = ", ".join(f"{name} {axis_text(getattr(asked, name))}" for name in WINDOW_AXES)
        raise InputError(f"{RULE}; got {got}: take longer contexts, shorter patches or another --stride")
    return found


def left_out(axes: Axes) -> str:
    """Say which combinations of the axes no grid can hold, and why; empty if there are none.

    Parameters
    ----------
    axes : Axes
        Of a grid, none of them empty.

    Examples
    --------
    >>> axes = Axes(context_length=(20, 60), patch_length=(10, 30), stride=(10,))
    >>> left_out(axes).partition(";")[0]
    'left out: c20p30s10'
    """
    wrong = [each for each in _combinations(axes) if not _keeps_rule(**each)]
    if not wrong or wrong == list(_combinations(axes)):
        return ""
    named = ", ".join("c{context_length}p{patch_length}s{stride}".format(**each) for each in wrong[:SHOWN])
    more = f" and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
    return f"left out: {named}{more}; {RULE}"


def _combinations(axes: Axes) -> Iterator[dict[str, int]]:
    for values in product(*(getattr(axes, name) for name in WINDOW_AXES)):
        yield dict(zip(WINDOW_AXES, values, strict=True))


def _keeps_rule(context_length: int, patch_length: int, stride: int) -> bool:
    return stride <= patch_length <= context_length and (context_length - patch_length) % stride == 0
