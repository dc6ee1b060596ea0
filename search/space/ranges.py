"""Ranges of training settings as users type them: a value, choices, or a range; read without anything slow."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

from pipeline.exceptions import InputError
from search.space.counts import LARGEST

AUTO = "auto"
LOG = "log"
Number = int | float


class Limit(NamedTuple):
    """What the values of a setting may be, in words and as a test, and how one asks for a range of it."""

    words: str
    holds: Callable[[Number], bool]
    example: str


def _is_share(value: Number) -> bool:
    return 0 <= value < 1


LIMITS: Mapping[str, Limit] = {
    "learning_rate": Limit("positive and finite", lambda value: 0 < value < math.inf, "1e-5:1e-3:log"),
    "weight_decay": Limit("at least 0 and finite", lambda value: 0 <= value < math.inf, "1e-3:0.3:log"),
    "warmup_fraction": Limit("in [0, 1)", _is_share, "0:0.3"),
    "dropout": Limit("in [0, 1)", _is_share, "0.1:0.5"),
    "batch_size": Limit("a whole number, at least 1", lambda value: isinstance(value, int) and value >= 1, "64:256:64"),
    "attention_dropout": Limit("in [0, 1)", _is_share, "0:0.2"),
    "label_smoothing": Limit("in [0, 1)", _is_share, "0:0.1"),
    "weight_average": Limit("in [0, 1)", _is_share, "0.9:0.99"),
}
"""Training settings that can be searched, in the order in which a sampler draws them."""
WHOLE = ("batch_size",)


@dataclass(frozen=True, kw_only=True, slots=True)
class Range:
    """What is asked of a training setting.

    Parameters
    ----------
    values : tuple of int or float
        One is a value that is fixed, several are choices; none where it is a range.
    low, high : int or float, optional
        Ends of the range, both inclusive.
    log : bool
        Whether it is searched in logarithms.
    step : int or float, optional
        Between the values of the range; None is any value, of a whole number every one.
    """

    values: tuple[Number, ...] = ()
    low: Number | None = None
    high: Number | None = None
    log: bool = False
    step: Number | None = None

    @property
    def is_fixed(self) -> bool:
        """Whether it is one value."""
        return len(self.values) == 1

    def text(self) -> str:
        """Write it as users do.

        Examples
        --------
        >>> Range(low=1e-5, high=1e-3, log=True).text(), Range(values=(64, 128)).text()
        ('1e-05:0.001:log', '64,128')
        """
        if self.values:
            return ",".join(map(str, self.values))
        return ":".join(
            [str(self.low), str(self.high), *([LOG] if self.log else [str(self.step)] if self.step else [])]
        )


def read_range(name: str, text: str) -> str:
    """Read a range as users type it, and write it in one form; ``auto`` is left to where the head is known.

    Examples
    --------
    >>> read_range("learning_rate", "1e-5:1e-3:log"), read_range("dropout", "0.20"), read_range("dropout", "auto")
    ('1e-05:0.001:log', '0.2', 'auto')
    """
    return text if text == AUTO else parse_range(name, text).text()


def parse_range(name: str, text: str) -> Range:
    """Parse what is asked of a training setting.

    Parameters
    ----------
    name : str
        One of :data:`LIMITS`.
    text : str
        A value, choices separated by commas, ``LOW:HIGH``, ``LOW:HIGH:log`` or ``LOW:HIGH:STEP``.

    Raises
    ------
    InputError
        By rule, value and remedy.

    Examples
    --------
    >>> parse_range("batch_size", "64:256:64").step, parse_range("dropout", "0.1").is_fixed
    (64, True)
    """
    if ":" not in text:
        values = tuple(_number(name, text, part) for part in text.split(","))
        if len(set(values)) < len(values):
            raise _refused(name, "must be choices, each once", text)
        return Range(values=values)
    first, second, *rest = text.split(":")
    if len(rest) > 1 or "," in text:
        raise _refused(name, _FORMS, text)
    low, high = _number(name, text, first), _number(name, text, second)
    if low >= high:
        raise _refused(name, "must be LOW:HIGH with LOW below HIGH, or one value", text)
    log = [part.strip() for part in rest] == [LOG]
    if log and low <= 0:
        raise _refused(name, "must begin above 0 where it is searched in logarithms", text)
    step = None if log or not rest else _step(name, text, (low, high), rest[0])
    return Range(low=low, high=high, log=log, step=step)


_FORMS = f"must be {AUTO}, a value, choices separated by commas, LOW:HIGH, LOW:HIGH:{LOG} or LOW:HIGH:STEP"


def _number(name: str, text: str, part: str) -> Number:
    """Read one number of a text, and hold it to the setting's limit."""
    try:
        value: Number = int(part) if name in WHOLE else float(part) + 0.0
    except ValueError:
        raise _refused(name, _FORMS if name not in WHOLE else f"{_FORMS} of whole numbers", text) from None
    if name in WHOLE and value > LARGEST:
        raise _refused(name, f"must be at most {LARGEST:,}", text)
    if not LIMITS[name].holds(value):
        raise _refused(name, f"must be {LIMITS[name].words}", text)
    return value


def _step(name: str, text: str, ends: tuple[Number, Number], part: str) -> Number:
    """Read a step, which has to lead from one end to the other; as typed, since floats do not add up."""
    low, high = (Decimal(str(end)) for end in ends)
    try:
        step = Decimal(part.strip())
        fits = step.is_finite() and step > 0 and (high - low) % step == 0
    except InvalidOperation:
        raise _refused(name, _FORMS, text) from None
    if not fits or (name in WHOLE and step % 1):
        raise _refused(name, "must have a STEP that leads from LOW to HIGH", text)
    return int(step) if name in WHOLE else float(step)


def _refused(name: str, rule: str, text: str) -> InputError:
    return InputError(f"{name} {rule}, got {text!r}; for instance --{name.replace('_', '-')} {LIMITS[name].example}")
