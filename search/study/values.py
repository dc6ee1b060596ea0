"""Values as users type them; a wrong one is answered by rule, value and remedy."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

from pipeline.exceptions import InputError
from search.space.counts import DIGITS, LARGEST, plain_count

NAME_LETTERS = r"A-Za-z0-9._^=+-"
NAME_LENGTH = 120
LONGEST_DAYS = 36_500
MOST_RESAMPLES = 100_000
"""So many know a p value of 0.05 to 0.0007, and each holds every day in memory; more would show no more."""


def any_text(name: str, text: str) -> str:
    """Take a text as it is; what it means is known later."""
    return text


def one_of(*choices: str) -> Callable[[str, str], str]:
    """Make the reader of a text that is one of some.

    Examples
    --------
    >>> one_of("median", "none")("pruner", "none")
    'none'
    """

    def read(name: str, text: str) -> str:
        if text not in choices:
            raise InputError(f"{name} must be one of {', '.join(choices)}, got {text!r}")
        return text

    return read


def tickers(name: str, text: str) -> tuple[str, ...]:
    """Read tickers separated by commas; none for an empty text.

    Examples
    --------
    >>> tickers("train_tickers", "^IXIC, ^DJI"), tickers("train_tickers", "")
    (('^IXIC', '^DJI'), ())
    """
    found = tuple(each.strip() for each in text.split(",")) if text else ()
    if not all(found) or len(set(found)) < len(found):
        raise InputError(f"{name} must be tickers, each once, separated by commas, got {text!r}")
    return found


def process_count(name: str, text: str) -> str:
    """Read a number of processes; ``auto`` is left to where the cores are known.

    Examples
    --------
    >>> process_count("workers", "auto"), process_count("workers", "3")
    ('auto', '3')
    """
    if text != "auto" and not plain_count(text):
        raise InputError(f"{name} must be auto or a whole number, at least 1, got {text!r}")
    return text


def kept_trials(name: str, text: str) -> str:
    """Read how many trials keep their weights; what ``auto`` means is known with the study.

    Examples
    --------
    >>> kept_trials("keep", "3"), kept_trials("keep", "all"), kept_trials("keep", "auto")
    ('3', 'all', 'auto')
    """
    if text in ("auto", "all"):
        return text
    number = plain_count(text)
    if not number:
        raise InputError(
            f"keep must be auto, all, or a whole number, at least 1: the best checkpoint is what a study is for, got "
            f"{text!r}"
        )
    return str(number)


def gpu_share(name: str, text: str) -> float:
    """Read a share of a GPU.

    Examples
    --------
    >>> gpu_share("gpus_per_trial", "0.25"), gpu_share("gpus_per_trial", "0")
    (0.25, 0.0)
    """
    try:
        share = float(text)
    except ValueError:
        share = math.nan
    if not 0 <= share <= 1:
        raise InputError(f"{name} must be a share of a GPU, from 0 to 1, got {text!r}")
    return share


def study_name(name: str, text: str) -> str:
    """Read a name that stores and files can carry; empty is left to the plan.

    Examples
    --------
    >>> study_name("study", "SPY-h1-2M")
    'SPY-h1-2M'
    """
    if text and not re.fullmatch(rf"(?!\.+$)[{NAME_LETTERS}]{{1,{NAME_LENGTH}}}", text):
        raise InputError(
            f"{name} must be up to {NAME_LENGTH} letters, digits and . _ ^ = + -, not dots alone, got {text!r}; for "
            "instance --study SPY-h1-2M"
        )
    return text


def whole_number(name: str, text: str, least: int, most: int | None = None, *, largest: int = LARGEST) -> int:
    """Read a whole number within limits; without an upper one what is larger than any answer.

    Examples
    --------
    >>> whole_number("trials", "50", 1)
    50
    """
    limit = largest if most is None else most
    try:
        value = int(text)
    except ValueError:  # also of more digits than Python reads
        value = limit + 1 if re.fullmatch(r"\s*\+?[0-9]+\s*", text) else least - 1
    if not least <= value <= limit:
        allowed = f", at least {least}" if most is None else f" from {least} to {most}"
        allowed += f" and at most {largest:,}" if most is None and value > limit else ""
        raise InputError(
            f"{name} must be a whole number{allowed}, got {text!r}; for instance --{name.replace('_', '-')} {least}"
        )
    return value


def require_resamples(n_resamples: int) -> None:
    """Refuse more resamples than :data:`MOST_RESAMPLES`, and say why.

    Raises
    ------
    InputError
        If there are more.
    """
    if n_resamples > MOST_RESAMPLES:
        raise InputError(
            f"resamples must be at most {MOST_RESAMPLES:,}, which tell p = 0.05 from 0.052 and hold every day in "
            f"memory each, got {n_resamples}; 2000 is usual"
        )


def optional_whole_number(name: str, text: str) -> int | None:
    """Read a whole number, 0 or more; None for an empty text.

    Examples
    --------
    >>> optional_whole_number("patience", "0"), optional_whole_number("patience", "")
    (0, None)
    """
    return whole_number(name, text, least=0) if text else None


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


def rise(name: str, text: str) -> float:
    """Read a rise of the price: a fraction that is not negative.

    Examples
    --------
    >>> rise("threshold", "0.01"), rise("threshold", "-0")
    (0.01, 0.0)
    """
    value = fraction(name, text)
    if value < 0:
        raise InputError(
            f"{name} must be a rise of the price, 0.01 is 1 % and 0 is direction alone, got {text!r}; below 0 the "
            "question is void, almost every day reaches it"
        )
    return value + 0.0


def duration(name: str, text: str) -> float | None:
    """Read a length of time in seconds; None for an empty text.

    Examples
    --------
    >>> duration("timeout", "1h30m"), duration("timeout", "90s"), duration("timeout", "")
    (5400.0, 90.0, None)
    """
    if not text:
        return None
    count = rf"0*(\d{{1,{DIGITS}}})"
    found = re.fullmatch(rf"(?:{count}d)?(?:{count}h)?(?:{count}m)?(?:{count}s)?", text, re.ASCII)
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups()) if found else (0, 0, 0, 0)
    total = float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)
    if not 0 < total <= LONGEST_DAYS * 86_400:
        raise InputError(
            f"{name} must be a length of time as in 90s, 30m, 8h or 1h30m, at most {LONGEST_DAYS}d, got {text!r}"
        )
    return total


def reason(name: str, text: str | None) -> str:
    """Read why somebody overrides a rule; empty where the option was not given.

    Examples
    --------
    >>> reason("force", "the old champion's source is gone"), reason("force", None)
    ("the old champion's source is gone", '')
    """
    words = " ".join((text or "").split())
    if text is not None and not words:
        raise InputError(f"{name} must say why, got nothing; for instance --{name} 'the data source was replaced'")
    return words


def duration_text(seconds: float) -> str:
    """Time in the two largest units that matter.

    Examples
    --------
    >>> [duration_text(s) for s in (4.2, 125, 7_300, 200_000)]
    ['5 s', '3 min', '2 h 2 min', '2 d 8 h']
    """
    if seconds < 60:
        return f"{-int(-seconds // 1)} s"
    minutes = -int(-seconds // 60)
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 24 * 60:
        return f"{minutes // 60} h {minutes % 60} min"
    hours = -(-minutes // 60)
    return f"{hours // 24} d {hours % 24} h"
