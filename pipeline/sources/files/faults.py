"""Faults of a file: all of them are gathered, and refused in one message."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

SHOWN_PLACES = 5
SHOWN_FAULTS = 20
SHOWN_LETTERS = 40


@dataclass(frozen=True, slots=True)
class Faults:
    """What is wrong with a file, in the order in which it was found.

    Examples
    --------
    >>> faults = Faults()
    >>> faults.add("line 7 has 5 fields, the header 6")
    >>> faults.text()
    '1 fault: line 7 has 5 fields, the header 6'
    """

    found: list[str] = field(default_factory=list)

    def add(self, fault: str) -> None:
        """Remember a fault."""
        self.found.append(fault)

    def text(self) -> str:
        """All of them in one line."""
        shown = self.found[:SHOWN_FAULTS]
        more = f"; and {len(self.found) - len(shown)} more" if len(self.found) > len(shown) else ""
        return f"{len(self.found)} fault{'s' if len(self.found) > 1 else ''}: {'; '.join(shown)}{more}"


def places(texts: Sequence[str]) -> str:
    """Name the first few of many places, and how many there are.

    Examples
    --------
    >>> places(["line 2", "line 3"]), places([f"line {n}" for n in range(7)])
    ('line 2, line 3', 'line 0, line 1, line 2, line 3, line 4 and 2 more')
    """
    more = f" and {len(texts) - SHOWN_PLACES} more" if len(texts) > SHOWN_PLACES else ""
    return ", ".join(texts[:SHOWN_PLACES]) + more


def quoted(text: object) -> str:
    """Quote a cell, cut where it is long.

    Examples
    --------
    >>> quoted("12,5")
    "'12,5'"
    """
    shown = str(text)
    return repr(shown if len(shown) <= SHOWN_LETTERS else f"{shown[:SHOWN_LETTERS]}…")
