"""Whole numbers as users type them: digits, and no more of them than anything that is counted can have."""

from __future__ import annotations

import re

DIGITS = 9
LARGEST = 10**DIGITS
"""Most that is asked of anything that is counted: far above what can be done, far below what a float can't hold."""


def plain_count(text: str) -> int | None:
    """Read digits alone, a number below :data:`LARGEST`; None for anything else.

    Examples
    --------
    >>> plain_count("064"), plain_count("-1"), plain_count("²"), plain_count("9" * 5000)
    (64, None, None, None)
    """
    found = re.fullmatch(rf"0*([0-9]{{1,{DIGITS}}})", text)
    return int(found[1]) if found else None
