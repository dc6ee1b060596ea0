"""What a check found, item by item, and the report of all of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

SHOWN_ITEMS = 10


class Severity(StrEnum):
    """An error refuses a build; a warning is listed on the dataset."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One broken rule and every place where it is broken.

    Parameters
    ----------
    check : str
        Name of the check.
    severity : Severity
        Whether it refuses a build.
    rule : str
        What the bars must satisfy.
    items : tuple of str
        Each place, with its date and value.
    remedy : str
        What can be done about it.
    """

    check: str
    severity: Severity
    rule: str
    items: tuple[str, ...]
    remedy: str

    @property
    def summary(self) -> str:
        """One line: check, rule, first item and their number."""
        return f"{self.check}: {self.fault}"

    @property
    def fault(self) -> str:
        """The rule, the first item and their number."""
        more = f" and {len(self.items) - 1} more" if len(self.items) > 1 else ""
        return f"{self.rule}, got {self.items[0]}{more}"


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckReport:
    """Findings on one ticker's bars.

    Parameters
    ----------
    ticker, span : str
        What was checked, and its first and last session.
    rows : int
        Number of sessions.
    passed : tuple of str
        Names of the checks that found nothing.
    findings : tuple of Finding
        The others that applied.
    not_applied : tuple of str
        Checks that could not be made, each with the reason: unknown, not passed.
    accepted : tuple of str
        Findings that the user said are right, ``missing_sessions:2010-05-06``.
    """

    ticker: str
    span: str
    rows: int
    passed: tuple[str, ...]
    findings: tuple[Finding, ...]
    not_applied: tuple[str, ...]
    accepted: tuple[str, ...] = ()

    @property
    def errors(self) -> tuple[Finding, ...]:
        """Findings that refuse a build."""
        return tuple(finding for finding in self.findings if finding.severity is Severity.ERROR)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """Findings that a build lists."""
        return tuple(finding for finding in self.findings if finding.severity is Severity.WARNING)

    def text(self, shown_items: int | None = SHOWN_ITEMS) -> str:
        """Report for people: one block a finding, at most ``shown_items`` items each (None: all).

        Examples
        --------
        >>> finding = Finding(check="flat_bars", severity=Severity.WARNING, rule="bars must have a range",
        ...                   items=("2020-01-02", "2020-01-03"), remedy="don't use their range")
        >>> print(CheckReport(ticker="X", span="2020", rows=2, passed=("schema",), findings=(finding,),
        ...                   not_applied=()).text(shown_items=1))
        X · 2020 · 2 sessions · 0 errors, 1 warning
          warning  flat_bars: bars must have a range (2 items)
             2020-01-02
             … and 1 more
             remedy: don't use their range
          passed: schema
        """
        lines = [
            f"{self.ticker} · {self.span} · {self.rows:,} sessions · "
            f"{_count(len(self.errors), 'error')}, {_count(len(self.warnings), 'warning')}"
        ]
        for finding in (*self.errors, *self.warnings):
            items = finding.items[:shown_items]
            lines.append(
                f"  {finding.severity:<7}  {finding.check}: {finding.rule} ({_count(len(finding.items), 'item')})"
            )
            lines.extend(f"     {item}" for item in items)
            if len(items) < len(finding.items):
                lines.append(f"     … and {len(finding.items) - len(items):,} more")
            lines.append(f"     remedy: {finding.remedy}")
        if self.accepted:
            lines.append(f"  accepted: {', '.join(self.accepted)}")
        if self.passed:
            lines.append(f"  passed: {', '.join(self.passed)}")
        if self.not_applied:
            lines.append(f"  not applied: {'; '.join(self.not_applied)}")
        return "\n".join(lines)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
