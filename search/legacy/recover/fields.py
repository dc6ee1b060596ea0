"""Fields of hostile records: typed, bounded, never guessed; whatever is wrong is left out and flagged."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from itertools import product
from typing import Any

LARGEST = 10**15
MAX_TEXT = 200
MANY_DECIMALS, CLOSE = 6, 0.05
NUMBER = r"[+-]?(?:(?:[0-9]{1,30}(?:\.[0-9]{0,40})?|\.[0-9]{1,40})(?:[eE][+-]?[0-9]{1,4})?|inf(?:inity)?|nan)"
_NUMBER = re.compile(NUMBER, re.IGNORECASE)


def read_number(value: object) -> float | None:
    """Read a number or a number's text, ``inf`` and ``nan`` included; None for anything else.

    Examples
    --------
    >>> read_number("1e-05"), read_number("-inf"), read_number("2,414"), read_number(True)
    (1e-05, -inf, None, None)
    """
    if isinstance(value, str):
        text = value.strip()
        return float(text) if _NUMBER.fullmatch(text) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if isinstance(value, float) or abs(value) <= LARGEST else None


def printable(text: str, limit: int = MAX_TEXT) -> str:
    r"""Escape what could steer a terminal or break a store, and cut what is too long.

    Examples
    --------
    >>> printable("h1\x1b[2J")
    'h1\\x1b[2J'
    """
    cut = text[: limit + 1]
    safe = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in cut)
    return safe if len(safe) <= limit else f"{safe[: limit - 1]}…"


def canonical(record: Mapping[str, Any]) -> str:
    """Write a record in one way only: empty fields dropped, keys sorted, ``64.0`` the same as 64.

    Examples
    --------
    >>> canonical({"n_layers": "48.0", "timestamp": "", "d_model": 64}) == canonical({"d_model": 64.0, "n_layers": 48})
    True
    """
    return json.dumps(_plain(record), sort_keys=True)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items() if each is not None and each != ""}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    number = read_number(value)
    if number is None:
        return value
    return int(number) if number.is_integer() and abs(number) <= LARGEST else number


class Fields:
    """Typed access to what one or several mappings say of a trial.

    A key is looked up in all of them. None, an empty text and a missing key are
    absence; a text that is no such value, and two different answers, are absence
    and a flag; of a number and its rounding the exact one is the answer. There are
    no defaults.

    Parameters
    ----------
    *sources : Mapping
        As parsed.
    trained : Mapping, optional
        What a record says that was trained, as against drawn: it beats the sources, with a flag.
    """

    def __init__(self, *sources: Mapping[str, Any], trained: Mapping[str, Any] | None = None) -> None:
        self.sources = sources
        self.trained = trained or {}
        self.flags: list[str] = []

    def whole(self, *keys: str, least: int = 1, most: int = LARGEST) -> int | None:
        """Read a whole number from the first source that has it."""

        def read(value: object) -> int | None:
            number = read_number(value)
            fits = number is not None and number.is_integer() and least <= number <= most
            return int(number) if number is not None and fits else None

        return self._agreed(keys, read, f"a whole number from {least} to {most:g}")

    def number(self, *keys: str) -> float | None:
        """Read a number; it may be infinite or not a number."""
        return self._agreed(keys, read_number, "a number")

    def finite(self, *keys: str, least: float = -math.inf) -> float | None:
        """Read a finite number."""

        def read(value: object) -> float | None:
            number = read_number(value)
            return number if number is not None and math.isfinite(number) and number >= least else None

        rule = "a finite number" if least == -math.inf else f"a finite number, at least {least:g}"
        return self._agreed(keys, read, rule)

    def text(self, *keys: str) -> str | None:
        """Read a text, made safe to show and store."""
        return self._agreed(keys, lambda value: printable(value) if isinstance(value, str) else None, "a text")

    def word(self, *keys: str) -> str:
        """Read the first text that is no number; empty if there is none; no flag: the keys have other uses too."""
        given = (source.get(key) for key in keys for source in self.sources)
        return next((printable(text) for text in given if isinstance(text, str) and read_number(text) is None), "")

    def _agreed(self, keys: tuple[str, ...], read: Callable[[object], Any], rule: str) -> Any:
        found = self._read_all(keys, read, rule, self.sources)
        trained = self._read_all(keys, read, rule, (self.trained,))
        if len(trained) == 1:
            others = [str(value) for value in found if not _agree(value, trained[0])]
            if others:
                self.flags.append(f"{keys[0]} was {trained[0]} in training, drawn was {' and '.join(others)}")
                return trained[0]
        found = without_roundings([*trained, *(value for value in found if repr(value) not in map(repr, trained))])
        if len(found) > 1:
            self.flags.append(f"{keys[0]} is said to be {' and '.join(map(str, found))}; left out")
        return found[0] if len(found) == 1 else None

    def _read_all(
        self, keys: tuple[str, ...], read: Callable[[object], Any], rule: str, sources: Iterable[Mapping[str, Any]]
    ) -> list[Any]:
        """Different values of these keys, in the order of the keys."""
        found: list[Any] = []
        for key, source in product(keys, sources):
            given = source.get(key)
            if given is None or given == "":
                continue
            value = read(given)
            if value is None:
                self.flags.append(f"{key} must be {rule}, got {_shown(given)}; left out")
            elif all(repr(value) != repr(other) for other in found):
                found.append(value)
        return found


def _agree(one: object, other: object) -> bool:
    return repr(one) == repr(other) or is_rounding(one, other) or is_rounding(other, one)


def without_roundings(values: Iterable[Any]) -> list[Any]:
    """Leave out numbers that are only a rounding of another one.

    Examples
    --------
    >>> without_roundings([0.000517, 0.0005173887963493101]), without_roundings([0.27, 0.16])
    ([0.0005173887963493101], [0.27, 0.16])
    """
    kept = list(values)
    return [one for one in kept if not any(is_rounding(one, other) for other in kept)]


def is_rounding(rounded: object, exact: object) -> bool:
    """Whether a number is another one, written with fewer digits after the point.

    With few digits a rounding and another value look alike: it must also be within 5 %.

    Examples
    --------
    >>> is_rounding(0.1, 0.10239), is_rounding(0.10239, 0.1), is_rounding(0.3, 0.26), is_rounding(5e-06, 5.4e-06)
    (True, False, False, True)
    """
    if not (
        isinstance(rounded, float) and isinstance(exact, float) and math.isfinite(rounded) and math.isfinite(exact)
    ):
        return False
    digits, finer = _decimals(rounded), _decimals(exact)
    if digits >= finer or abs(exact - rounded) > 0.51 * 10.0**-digits:
        return False
    return digits >= MANY_DECIMALS or abs(exact - rounded) <= CLOSE * abs(exact)


def _decimals(number: float) -> int:
    exponent = Decimal(repr(number)).normalize().as_tuple().exponent
    assert isinstance(exponent, int)
    return max(-exponent, 0)


def _shown(value: object) -> str:
    if isinstance(value, dict | list):
        return f"a {type(value).__name__}"
    return printable(repr(value) if isinstance(value, str) else str(value), 60)
