"""The report: a study's evidence as one page that holds everything it shows, with its pictures and tables beside it."""

from search.report.command import Report, make_report, write_report

__all__ = ["Report", "make_report", "write_report"]
