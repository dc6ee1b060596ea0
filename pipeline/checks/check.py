"""What a check is: a name, a rule, a severity, and a function from a series to items."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.checks.report import Finding, Severity

SHOWN_DIGITS = (10, 12, 15, 17)


@dataclass(frozen=True, kw_only=True, slots=True)
class Series:
    """The bars that are checked, and what they are compared with.

    Parameters
    ----------
    ticker : str
        Whose bars.
    bars : DataFrame
        Canonical bars as stored, see :mod:`pipeline.bars`.
    calendar : str or None
        Exchange calendar; None where we know none.
    last_sessions : mapping
        Last session of other tickers.
    previous : DataFrame or None
        Bars of the same ticker from an earlier snapshot.
    accepted : frozenset of str
        Findings that the user says are right, ``missing_sessions:2010-05-06``.
    """

    ticker: str
    bars: pd.DataFrame
    calendar: str | None = None
    last_sessions: Mapping[str, pd.Timestamp] = field(default_factory=dict)
    previous: pd.DataFrame | None = None
    accepted: frozenset[str] = frozenset()


class NotApplicable(Exception):
    """A check can't be made on this series; the message is the reason."""


@dataclass(frozen=True, slots=True)
class Check:
    """One named rule.

    Parameters
    ----------
    name : str
        Stable name, as reports show it.
    severity : Severity
        Whether a finding refuses a build.
    rule, remedy : str
        What must hold, and what to do where it doesn't.
    items : callable
        From a series to the places that break the rule; raises
        :class:`NotApplicable` where it can't say.
    """

    name: str
    severity: Severity
    rule: str
    remedy: str
    items: Callable[[Series], list[str]]

    def find(self, series: Series) -> Finding | None:
        """Make the check: what it finds, or None where the rule holds."""
        return self.look(series)[0]

    def look(self, series: Series) -> tuple[Finding | None, tuple[str, ...]]:
        """Make the check: what it finds, and what it would find if the user had not accepted it."""
        named = {item: f"{self.name}:{item[:10]}" for item in self.items(series)}
        items = tuple(item for item, name in named.items() if name not in series.accepted)
        accepted = tuple(dict.fromkeys(name for name in named.values() if name in series.accepted))
        finding = Finding(check=self.name, severity=self.severity, rule=self.rule, items=items, remedy=self.remedy)
        return finding if items else None, accepted


def error(rule: str, *, remedy: str) -> Callable[[Callable[[Series], list[str]]], Check]:
    """Make a check of the function below, which it is called after; what it finds refuses a build."""
    return lambda items: Check(items.__name__.strip("_"), Severity.ERROR, rule, remedy, items)


def warning(rule: str, *, remedy: str) -> Callable[[Callable[[Series], list[str]]], Check]:
    """As :func:`error`; what it finds is listed on the dataset."""
    return lambda items: Check(items.__name__.strip("_"), Severity.WARNING, rule, remedy, items)


def itemise(bars: pd.DataFrame, broken: npt.ArrayLike, *columns: str) -> list[str]:
    """One text for each broken day: its date and the values of some columns.

    Examples
    --------
    >>> bars = pd.DataFrame({"low": [1.0, 0.0]}, index=pd.DatetimeIndex(["2020-01-02", "2020-01-03"]))
    >>> itemise(bars, bars["low"] <= 0, "low")
    ['2020-01-03 low 0']
    """
    rows = bars.loc[np.asarray(broken, dtype=bool), list(columns)]
    return [
        " ".join([str(day)[:10], *(f"{name} {text}" for name, text in zip(columns, apart(values), strict=True))])
        for day, values in zip(rows.index, rows.to_numpy().tolist(), strict=True)
    ]


def apart(values: Sequence[float]) -> list[str]:
    """Texts of numbers, with as many digits as it takes for different ones to look different.

    Examples
    --------
    >>> apart([17.76, 20.37]), apart([100.0, 100.00000000000001])
    (['17.76', '20.37'], ['100', '100.00000000000001'])
    """
    texts: list[str] = []
    for digits in SHOWN_DIGITS:
        texts = [f"{value:.{digits}g}" for value in values]
        if len(set(texts)) == len(set(values)):
            break
    return texts
