"""Tiers: named sets of features, declared once and read by everybody."""

from __future__ import annotations

import hashlib
import inspect
import sys
from collections.abc import Mapping
from importlib.metadata import version
from types import ModuleType

import numpy as np
import pandas as pd

from pipeline import indicators
from pipeline.exceptions import DataError, InputError
from pipeline.tiers.feature import Feature
from pipeline.tiers.implied import R33
from pipeline.tiers.levels import A25
from pipeline.tiers.relative import R25
from pipeline.tiers.scaled import S33, S40
from pipeline.tiers.volatility import R55

TIERS: Mapping[str, tuple[Feature, ...]] = {"a25": A25, "r25": R25, "r33": R33, "r55": R55, "s33": S33, "s40": S40}


def find_tier(name: str) -> tuple[Feature, ...]:
    """Return the features of a tier.

    Raises
    ------
    InputError
        If no tier has this name.

    Examples
    --------
    >>> {name: len(find_tier(name)) for name in TIERS}
    {'a25': 25, 'r25': 25, 'r33': 33, 'r55': 55, 's33': 33, 's40': 40}
    """
    if name not in TIERS:
        raise InputError(f"tier must be one of {', '.join(TIERS)}, got {name!r}")
    return TIERS[name]


def auxiliary_tickers(name: str) -> tuple[str, ...]:
    """Tickers that a tier reads beside the one that is predicted.

    Examples
    --------
    >>> auxiliary_tickers("r25"), auxiliary_tickers("r33")
    ((), ('^VIX',))
    """
    return tuple(dict.fromkeys(ticker for feature in find_tier(name) for ticker in feature.tickers))


def compute_tier(
    name: str, bars: pd.DataFrame, auxiliary: Mapping[str, pd.DataFrame] | None = None, *, ticker: str = ""
) -> pd.DataFrame:
    """Compute every feature of a tier for every day of the bars.

    Parameters
    ----------
    name : str
        The tier.
    bars : DataFrame
        Bars of the ticker that is predicted.
    auxiliary : mapping, optional
        Bars of the tier's other tickers, on exactly the same days.
    ticker : str, optional
        The one that is predicted, for tiers that read which it is.

    Returns
    -------
    DataFrame
        Shape (days, features), float64, same index; NaN only inside a look-back.

    Raises
    ------
    DataError
        If there are fewer days than the look-back, another ticker's bars are
        missing or of other days, or a value is missing after its look-back.
    """
    features = find_tier(name)
    needed = tier_lookback(name) + 1
    if len(bars) < needed:
        raise DataError(f"tier {name} needs at least {needed} days of history, got {len(bars)}; take a longer series")
    for other in auxiliary_tickers(name):
        if other not in (auxiliary or {}):
            raise DataError(f"tier {name} needs the bars of {other}, got none; pull {other} from the same source")
        if not (auxiliary or {})[other].index.equals(bars.index):
            raise DataError(f"tier {name} needs the bars of {other} on the same days as the predicted ticker's")
    frame = pd.DataFrame({each.name: each.compute(bars, auxiliary, ticker) for each in features}, index=bars.index)
    for feature in features:
        values = frame[feature.name].to_numpy()[feature.lookback :]
        if not np.isfinite(values).all():
            day = frame.index[feature.lookback + int(np.argmin(np.isfinite(values)))].date()
            raise DataError(f"{feature.name} must be finite after {feature.lookback} days, got none at {day}")
    return frame


def n_static(name: str) -> int:
    """Features of a tier that a model reads of the last day only; they come last.

    Examples
    --------
    >>> n_static("r25"), n_static("s40")
    (0, 33)
    """
    return sum(feature.static for feature in find_tier(name))


def tier_lookback(name: str) -> int:
    """Days of history before the first day on which every feature has a value."""
    return max(feature.lookback for feature in find_tier(name))


def tier_memory(name: str) -> int:
    """Sessions after which the start of the series no longer matters to any feature of a tier.

    Raises
    ------
    InputError
        If a feature never forgets where its series started.

    Examples
    --------
    >>> tier_memory("r25")
    1500
    """
    features = find_tier(name)
    unbounded = [feature.name for feature in features if feature.memory is None]
    if unbounded:
        raise InputError(
            f"a tier must forget where its series started, but {', '.join(unbounded)} of tier {name} is a running "
            "total; take tier r25, which holds the same in relative form"
        )
    return max(feature.memory for feature in features if feature.memory is not None)


def tier_code_version(name: str) -> str:
    """Name what computes this tier: its declaration, the code of its indicators, TA-Lib's version."""
    features = find_tier(name)
    declared = [feature.declaration for feature in features]
    modules = _indicator_modules({f.function.__module__ for f in features})
    source = "\n".join(inspect.getsource(module) for module in modules)
    return hashlib.sha256(f"{declared}\n{source}\nTA-Lib {version('TA-Lib')}".encode()).hexdigest()[:16]


def _indicator_modules(names: set[str]) -> list[ModuleType]:
    """Modules of these names and the indicator modules that they import, by name."""
    found = set(names)
    waiting = list(names)
    while waiting:
        members = vars(sys.modules[waiting.pop()]).values()
        imported = {getattr(member, "__module__", None) for member in members}
        new = {name for name in imported if name and name.startswith(f"{indicators.__name__}.")} - found
        found |= new
        waiting += new
    return [sys.modules[name] for name in sorted(found)]
