"""The report: command → sections → inputs → statistics → layout (one page)."""

from search.report.command import Report, make_report, write_report

__all__ = ["Report", "make_report", "write_report"]
