"""What a check is: a name, a rule, a severity, and a function from a series to items."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.checks.report import Finding, Severity


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
    """

    ticker: str
    bars: pd.DataFrame
    calendar: str | None = None
    last_sessions: Mapping[str, pd.Timestamp] = field(default_factory=dict)
    previous: pd.DataFrame | None = None


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
        items = tuple(self.items(series))
        finding = Finding(check=self.name, severity=self.severity, rule=self.rule, items=items, remedy=self.remedy)
        return finding if items else None


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
        " ".join([str(day)[:10], *(f"{name} {value:.10g}" for name, value in zip(columns, values, strict=True))])
        for day, values in zip(rows.index, rows.to_numpy(), strict=True)
    ]
