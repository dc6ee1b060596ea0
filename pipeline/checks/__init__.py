"""Named checks of bars: errors refuse a build, warnings are listed on the dataset."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from pipeline.calendars import calendar_of
from pipeline.checks.check import Check, NotApplicable, Series
from pipeline.checks.prices import PRICE_CHECKS
from pipeline.checks.report import CheckReport, Finding, Severity
from pipeline.checks.sessions import SESSIONS
from pipeline.checks.structure import STRUCTURE
from pipeline.exceptions import DataError

__all__ = ["CHECKS", "Check", "CheckReport", "Finding", "Severity", "check_bars", "refuse_errors"]

CHECKS = (*STRUCTURE, *SESSIONS, *PRICE_CHECKS)


def check_bars(
    ticker: str,
    bars: pd.DataFrame,
    *,
    last_sessions: Mapping[str, pd.Timestamp] | None = None,
    previous: pd.DataFrame | None = None,
) -> CheckReport:
    """Make every check on one ticker's bars.

    Parameters
    ----------
    ticker : str
        Whose bars; it decides the exchange calendar.
    bars : DataFrame
        Canonical bars as stored, not adjusted by us.
    last_sessions : mapping, optional
        Last session of each other ticker, for the check of freshness.
    previous : DataFrame, optional
        Bars of an earlier snapshot of the same ticker, for the check of seams.

    Examples
    --------
    >>> from pipeline.sources import open_source
    >>> report = check_bars("^GSPC", open_source("sample").fetch("^GSPC").bars)
    >>> len(report.errors), [finding.check for finding in report.warnings]
    (0, ['open_equals_previous_close'])
    """
    series = Series(
        ticker=ticker,
        bars=bars,
        calendar=calendar_of(ticker),
        last_sessions={other: day for other, day in (last_sessions or {}).items() if other != ticker},
        previous=previous,
    )
    passed: list[str] = []
    findings: list[Finding] = []
    not_applied: list[str] = []
    for check in CHECKS:
        if findings and _is_blocked(check, findings[0]):
            not_applied.append(f"{check.name}: {findings[0].check} must hold first")
            continue
        try:
            found = check.find(series)
        except NotApplicable as reason:
            not_applied.append(f"{check.name}: {reason}")
            continue
        if found:
            findings.append(found)
        else:
            passed.append(check.name)
    span = f"{str(bars.index[0])[:10]} to {str(bars.index[-1])[:10]}" if len(bars) else "empty"
    return CheckReport(
        ticker=ticker,
        span=span,
        rows=len(bars),
        passed=tuple(passed),
        findings=tuple(findings),
        not_applied=tuple(not_applied),
    )


def _is_blocked(check: Check, first: Finding) -> bool:
    """Whether a check makes no sense because of the first finding: form comes before plausibility."""
    structural = {structure.name for structure in STRUCTURE}
    return first.check == STRUCTURE[0].name or (first.check in structural and check.name not in structural)


def refuse_errors(report: CheckReport) -> None:
    """Refuse a report that holds errors.

    Raises
    ------
    DataError
        Naming the ticker, the first broken rule, its first place and the remedy.
    """
    if report.errors:
        first = report.errors[0]
        others = f" ({len(report.errors) - 1} other checks fail too)" if len(report.errors) > 1 else ""
        raise DataError(f"{report.ticker}: {first.summary}{others}; {first.remedy}")
