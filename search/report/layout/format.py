"""Figures as a reader sees them: a true minus, few digits, and words for what is unknown."""

from __future__ import annotations

import math

from search.evidence import Difference, Interval

MINUS = "−"
UNKNOWN = "unknown"
NOT_APPLICABLE = "–"


def fixed(value: float | None, digits: int) -> str:
    """Write a number with so many decimals.

    Examples
    --------
    >>> fixed(0.74126, 3), fixed(-0.00004, 4), fixed(float("nan"), 3)
    ('0.741', '0.0000', 'unknown')
    """
    if value is None or not math.isfinite(value):
        return UNKNOWN
    text = f"{value:.{digits}f}"
    return (text.removeprefix("-") if float(text) == 0 else text).replace("-", MINUS)


def signed(value: float | None, digits: int) -> str:
    """Write a difference: always with its sign.

    Examples
    --------
    >>> signed(0.004, 3), signed(-0.0012, 4), signed(0.0, 2)
    ('+0.004', '−0.0012', '0.00')
    """
    text = fixed(value, digits)
    positive = value is not None and value > 0 and text != UNKNOWN and float(text) > 0
    return f"+{text}" if positive else text


def whole(value: float | None) -> str:
    """Write a count, its thousands apart.

    Examples
    --------
    >>> whole(2417473), whole(None)
    ('2,417,473', 'unknown')
    """
    return UNKNOWN if value is None or not math.isfinite(value) else f"{int(value):,}"


def between(low: float, high: float, digits: int, *, sign: bool = False) -> str:
    """Write the ends of an interval.

    Examples
    --------
    >>> between(-0.006, 0.004, 3, sign=True)
    '[−0.006, +0.004]'
    >>> between(float("nan"), float("nan"), 3)
    'no interval'
    """
    if math.isnan(low) and math.isnan(high):
        return "no interval"
    write = signed if sign else fixed
    return f"[{write(low, digits)}, {write(high, digits)}]"


def with_interval(found: Interval | Difference, digits: int, *, sign: bool = False) -> str:
    """Write a value with its interval behind it."""
    write = signed if sign else fixed
    return f"{write(found.value, digits)} {between(found.low, found.high, digits, sign=sign)}"


def p_text(p: float) -> str:
    """Write a p-value.

    Examples
    --------
    >>> p_text(0.2137), p_text(0.0004)
    ('p = 0.21', 'p < 0.001')
    """
    if not math.isfinite(p):
        return f"p {UNKNOWN}"
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"


def plural(n: int, word: str) -> str:
    """Count a thing.

    Examples
    --------
    >>> plural(1, "trial"), plural(50, "trial"), plural(0, "opening")
    ('1 trial', '50 trials', '0 openings')
    """
    return f"{n:,} {word}" if n == 1 else f"{n:,} {word}s"


def short_name(name: str) -> str:
    """Say ``logistic`` of ``baseline logistic``; trials keep their number."""
    return name.removeprefix("baseline ").replace("_", " ")
