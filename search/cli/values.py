"""Values as users type them; a wrong one is answered by rule, value and remedy."""

from __future__ import annotations

import math

from pipeline.exceptions import InputError


def whole_number(name: str, text: str, least: int) -> int:
    """Read a whole number.

    Examples
    --------
    >>> whole_number("trials", "50", 1)
    50
    """
    try:
        value = int(text)
    except ValueError:
        value = least - 1
    if value < least:
        raise InputError(
            f"{name} must be a whole number, at least {least}, got {text!r}; for instance "
            f"--{name.replace('_', '-')} {least}"
        )
    return value


def fraction(name: str, text: str) -> float:
    """Read a finite number.

    Examples
    --------
    >>> fraction("threshold", "0.01")
    0.01
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{name} must be a fraction, got {text!r}; 0.01 is 1 %")
    return value
