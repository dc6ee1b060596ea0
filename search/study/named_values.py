"""Several named values in one text of a plan: ``dropout=float 0.0 to 0.5,…``."""

from __future__ import annotations

from collections.abc import Mapping

ABSENT = "none"


def write_values(values: Mapping[str, str]) -> str:
    """Write named values, by name.

    Examples
    --------
    >>> write_values({"beta2": "0.95", "beta1": "0.9"})
    'beta1=0.9,beta2=0.95'
    """
    return ",".join(f"{name}={value}" for name, value in sorted(values.items()))


def read_values(text: str) -> dict[str, str]:
    """Read named values: the inverse of :func:`write_values`."""
    return dict(item.split("=", 1) for item in text.split(",")) if text else {}


def differing_values(mine: str, theirs: str) -> list[str]:
    """Name the values in which two texts differ, with both.

    Examples
    --------
    >>> differing_values("beta1=0.9,beta2=0.95", "beta1=0.9,beta2=0.99")
    ['beta2 0.95 there, 0.99 here']
    """
    there, here = read_values(mine), read_values(theirs)
    names = [name for name in {**there, **here} if there.get(name) != here.get(name)]
    return [f"{name} {there.get(name, ABSENT)} there, {here.get(name, ABSENT)} here" for name in names]
