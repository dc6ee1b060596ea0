"""What a sampler draws of the training: a distribution for each setting that is searched, in words and back."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from model.spec.architecture import BINARY
from model.spec.spec import Training
from search.space.ranges import LIMITS, WHOLE, Number, Range

TRAINING: Mapping[str, BaseDistribution] = {
    "learning_rate": FloatDistribution(3e-5, 3e-3, log=True),
    "weight_decay": FloatDistribution(1e-3, 0.3, log=True),
    "warmup_fraction": FloatDistribution(0.0, 0.3),
    "dropout": FloatDistribution(0.0, 0.5),
    "batch_size": IntDistribution(64, 256, step=64),
}
"""Of a binary head, where nothing else is asked."""

DISTRIBUTION_TRAINING: Mapping[str, BaseDistribution] = {
    "learning_rate": FloatDistribution(3e-5, 3e-3, log=True),
    "weight_decay": FloatDistribution(1e-2, 1.0, log=True),
    "warmup_fraction": FloatDistribution(0.0, 0.5),
    "dropout": FloatDistribution(0.1, 0.6),
    "batch_size": IntDistribution(128, 512, step=128),
}
"""Of a distribution: the same parameters, about what is known to serve it."""


ONE_OF = "one of "
_RANGE = re.compile(r"(?P<kind>float|int) (?P<low>\S+) to (?P<high>\S+)(?P<log> log)?(?: step (?P<step>\S+))?")


def training_ranges(head: str, asked: Mapping[str, Range] | None = None) -> Mapping[str, BaseDistribution]:
    """Ranges of the searched training settings, in the order in which they are drawn.

    Parameters
    ----------
    head : str
        Of the architectures: its usual ranges stand where nothing is asked.
    asked : mapping, optional
        What is asked of some settings; one that is fixed is not drawn.
    """
    usual = TRAINING if head == BINARY else DISTRIBUTION_TRAINING
    if not asked:
        return usual
    found = {name: each for name, each in usual.items() if name not in asked}
    found |= {name: distribution_of(name, each) for name, each in asked.items() if not each.is_fixed}
    return in_order(found)


def in_order(ranges: Mapping[str, BaseDistribution]) -> dict[str, BaseDistribution]:
    """Order ranges as they are drawn, whatever the order that they are held in."""
    return {name: ranges[name] for name in LIMITS if name in ranges}


def distribution_of(name: str, asked: Range) -> BaseDistribution:
    """Optuna's form of a range that is not one value.

    Examples
    --------
    >>> distribution_of("dropout", Range(low=0.1, high=0.5))
    FloatDistribution(high=0.5, log=False, low=0.1, step=None)
    """
    if asked.values:
        return CategoricalDistribution(asked.values)
    assert asked.low is not None and asked.high is not None
    if name in WHOLE:
        return IntDistribution(int(asked.low), int(asked.high), log=asked.log, step=int(asked.step or 1))
    return FloatDistribution(asked.low, asked.high, log=asked.log, step=asked.step)


def range_text(distribution: BaseDistribution) -> str:
    """Write a range as a reader would.

    Examples
    --------
    >>> range_text(TRAINING["learning_rate"]), range_text(TRAINING["batch_size"])
    ('float 3e-05 to 0.003 log', 'int 64 to 256 step 64')
    """
    if isinstance(distribution, CategoricalDistribution):
        return ONE_OF + " ".join(map(str, distribution.choices))
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    kind, every = ("float", None) if isinstance(distribution, FloatDistribution) else ("int", 1)
    stepped = f" step {distribution.step}" if distribution.step != every else ""
    return f"{kind} {distribution.low} to {distribution.high}{' log' if distribution.log else ''}{stepped}"


def read_range_text(text: str) -> BaseDistribution | None:
    """Read a range back from its words: the inverse of :func:`range_text`; None where they are not those of one.

    Examples
    --------
    >>> read_range_text("int 64 to 256 step 64")
    IntDistribution(high=256, log=False, low=64, step=64)
    >>> read_range_text("float 3e-05 to 0.003 log and float 1e-05 to 0.01 log") is None
    True
    """
    found = _RANGE.fullmatch(text)
    try:
        if text.startswith(ONE_OF):
            choices = text.removeprefix(ONE_OF).split()
            return CategoricalDistribution([int(each) if each.isdecimal() else float(each) for each in choices])
        if found is None:
            return None
        log, step = found["log"] is not None, found["step"]
        if found["kind"] == "float":
            return FloatDistribution(
                float(found["low"]), float(found["high"]), log=log, step=float(step) if step else None
            )
        return IntDistribution(int(found["low"]), int(found["high"]), log=log, step=int(step or 1))
    except ValueError:
        return None


def range_texts(distributions: Mapping[str, BaseDistribution]) -> dict[str, str]:
    """Ranges in words, by parameter."""
    return {name: range_text(each) for name, each in distributions.items()}


def usual_value(name: str, distribution: BaseDistribution | None) -> Number:
    """Value of a searched setting that a forced trial has: the standard one, or the middle of a range without it.

    Examples
    --------
    >>> usual_value("dropout", FloatDistribution(0.1, 0.5)), usual_value("dropout", FloatDistribution(0.4, 0.6))
    (0.2, 0.5)
    >>> usual_value("batch_size", IntDistribution(256, 512, step=64)), usual_value("batch_size", None)
    (384, 128)
    """
    standard: Number = getattr(Training(), name)
    if distribution is None or contains(distribution, standard):
        return standard
    if isinstance(distribution, CategoricalDistribution):
        choices: list[Any] = list(distribution.choices)
        return type(standard)(min(choices, key=lambda choice: abs(choice - standard)))
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    low, high = distribution.low, distribution.high
    middle = math.sqrt(low * high) if distribution.log else (low + high) / 2
    if distribution.step is not None:
        middle = low + round((middle - low) / distribution.step) * distribution.step
    return type(standard)(min(max(middle, low), high))


def contains(distribution: BaseDistribution, value: Number) -> bool:
    """Whether a value can be drawn."""
    try:
        return bool(distribution._contains(distribution.to_internal_repr(value)))
    except ValueError:
        return False


def n_values(distribution: BaseDistribution) -> int | None:
    """How many values a setting can be drawn with; None where there is no end of them.

    Examples
    --------
    >>> n_values(TRAINING["batch_size"]), n_values(TRAINING["dropout"])
    (4, None)
    """
    if isinstance(distribution, CategoricalDistribution):
        return len(distribution.choices)
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    step = distribution.step
    return None if step is None else round((distribution.high - distribution.low) / step) + 1


def values_of(distribution: BaseDistribution) -> list[Any]:
    """Every value of a setting that has few of them.

    Examples
    --------
    >>> values_of(TRAINING["batch_size"])
    [64, 128, 192, 256]
    """
    if isinstance(distribution, CategoricalDistribution):
        return list(distribution.choices)
    assert isinstance(distribution, FloatDistribution | IntDistribution) and distribution.step is not None
    count, low, step = n_values(distribution), distribution.low, distribution.step
    return [min(low + place * step, distribution.high) for place in range(count or 0)]
