"""Findings that a user says are right: a trading halt is no missing session."""

from __future__ import annotations

from datetime import date

from pipeline.exceptions import InputError

ACCEPTABLE = ("missing_sessions", "non_sessions", "price_bounds")
"""Checks whose finding of one day can be right: a halt, a special session, a bar that the exchange itself printed."""


def read_accepted(option: str, text: str) -> tuple[str, ...]:
    """Read checks and days, separated by commas; a day alone is of the check before it.

    Raises
    ------
    InputError
        If a check is not one that can be accepted, or a day is none.

    Examples
    --------
    >>> read_accepted("accept", "missing_sessions:2010-05-06,2010-05-07"), read_accepted("accept", "")
    (('missing_sessions:2010-05-06', 'missing_sessions:2010-05-07'), ())
    """
    found: list[str] = []
    check = ""
    for entry in (each.strip() for each in text.split(",") if text):
        name, colon, day = entry.rpartition(":")
        check = name if colon else check
        try:
            named = f"{check}:{date.fromisoformat(day).isoformat()}"
        except ValueError:
            named = ""
        if check not in ACCEPTABLE or not named:
            raise InputError(
                f"{option} must be CHECK:DAY, separated by commas, CHECK one of {', '.join(ACCEPTABLE)} and DAY an ISO "
                f"date, got {entry!r}; for instance missing_sessions:2010-05-06"
            )
        found.append(named)
    return tuple(dict.fromkeys(found))
