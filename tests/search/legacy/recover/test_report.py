from search.legacy.recover.architecture import Resolved
from search.legacy.recover.report import MAX_RANGES, FileReport
from search.legacy.recover.trial import LegacyOutcome, LegacyTrial

UNNAMED = LegacyOutcome(status="FINISHED", reason="complete", value=0.7)
RECOVERED = Resolved(n_heads=8, n_heads_origin="recovered (grid v1, 20 features)")


def make(line, architecture=None, flags=()):
    return LegacyTrial(
        form="csv",
        where=f"line {line}",
        content="{}",
        outcome=UNNAMED,
        architecture=architecture or Resolved(),
        flags=flags,
    )


def test_neighbouring_lines_are_one_range():
    report = FileReport(name="x.log", kind="log")
    for line in (1, 2, 3, 7, 9, 10):
        report.skip(line, "not about a trial")
    assert report.skipped == {"not about a trial": [[1, 3], [7, 7], [9, 10]]}
    assert list(report.text())[-1] == "  skipped, not about a trial: 6 lines: 1-3, 7, 9-10"


def test_the_text_names_every_place():
    report = FileReport(name="x.csv", kind="csv", lines=5, written=3, present=1)
    report.trials = [
        make(2, RECOVERED),
        make(3, RECOVERED),
        make(4, Resolved(candidates="2 or 4")),
        make(5, RECOVERED, ("odd",)),
    ]
    report.repeated = ["line 6"]
    assert list(report.text()) == [
        "x.csv (csv, 5 lines): 4 trials read, 3 written, 1 already there",
        "  value of no name, kept as best/objective: 4 trials",
        "  recovered n_heads (3 trials):",
        "    grid v1, 20 features: line 2 n_heads=8, line 3 n_heads=8, line 5 n_heads=8",
        "  n_heads unknown (1 trials):",
        "    2 or 4: line 4",
        "  flagged (1 trials):",
        "    line 5: odd",
        "  skipped, repeated:",
        "    line 6",
    ]


def test_a_long_list_is_cut_and_says_so():
    report = FileReport(name="x.csv", kind="csv", trials=[make(line, flags=("odd",)) for line in range(100)])
    assert "    … 60 more" in report.text()
    assert sum("odd" in line for line in report.text(None)) == 100


def test_ranges_are_bounded_and_lines_are_counted():
    report = FileReport(name="x.log", kind="log")
    for line in range(0, 10_000, 2):
        report.skip(line, "noise")
    assert len(report.skipped["noise"]) == MAX_RANGES
    [_, text] = report.text(None)
    assert text.startswith("  skipped, noise: 5,000 lines: 0, 2, 4")
    assert text.endswith(", …")
