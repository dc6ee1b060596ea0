"""Named checks of bars: errors refuse a build, warnings are listed on the dataset."""

from __future__ import annotations

from collections.abc import Collection, Mapping

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
    accepted: Collection[str] = (),
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
    accepted : collection of str, optional
        Findings that the user says are right, see :func:`pipeline.accepted.read_accepted`.

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
        accepted=frozenset(accepted),
    )
    passed: list[str] = []
    findings: list[Finding] = []
    not_applied: list[str] = []
    waived: list[str] = []
    for check in CHECKS:
        if findings and _is_blocked(check, findings[0]):
            not_applied.append(f"{check.name}: {findings[0].check} must hold first")
            continue
        try:
            found, given = check.look(series)
        except NotApplicable as reason:
            not_applied.append(f"{check.name}: {reason}")
            continue
        waived += given
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
        accepted=tuple(waived),
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
        Naming the ticker, and of each broken rule its first place and the remedy.
    """
    if report.errors:
        first, *others = report.errors
        named = f" ({len(others)} other checks fail too)" if others else ""
        further = "".join(f"; {each.summary}; {each.remedy}" for each in others)
        raise DataError(f"{report.ticker}: {first.summary}{named}; {first.remedy}{further}")
