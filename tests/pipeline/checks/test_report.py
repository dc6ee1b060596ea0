from __future__ import annotations

import pytest

from pipeline.checks.report import SHOWN_ITEMS, CheckReport, Finding, Severity


def finding(severity: Severity, items: int) -> Finding:
    return Finding(
        check=f"some_{severity}",
        severity=severity,
        rule="it must hold",
        items=tuple(f"2020-01-{day:02d}" for day in range(1, items + 1)),
        remedy="mend it",
    )


@pytest.fixture
def report() -> CheckReport:
    return CheckReport(
        ticker="SPY",
        span="2020-01-01 to 2020-12-31",
        rows=253,
        passed=("schema",),
        findings=(finding(Severity.WARNING, 25), finding(Severity.ERROR, 1)),
        not_applied=("stale_tail: no other ticker",),
    )


def test_errors_come_first(report):
    lines = report.text().splitlines()
    assert lines[0].endswith("253 sessions · 1 error, 1 warning")
    assert lines[1].split()[:2] == ["error", "some_error:"]
    assert "not applied: stale_tail: no other ticker" in lines[-1]


def test_the_whole_list_can_be_had(report):
    assert f"… and {25 - SHOWN_ITEMS} more" in report.text()
    assert "more" not in report.text(None) and "2020-01-25" in report.text(None)


def test_a_summary_is_one_line(report):
    assert report.warnings[0].summary == "some_warning: it must hold, got 2020-01-01 and 24 more"
    assert report.errors[0].summary == "some_error: it must hold, got 2020-01-01"
