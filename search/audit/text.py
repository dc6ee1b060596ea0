"""An audit in lines that people read, all of it or what stands out."""

from __future__ import annotations

from model.spec.migrations import SCHEMA
from search.audit.audit import Audit
from search.space.axes import WINDOW_AXES
from search.space.extremes import EXTREME_AXES

WIDTH = 12
LETTERS = dict(zip((*EXTREME_AXES, *WINDOW_AXES), "dLhcps", strict=True))


def audit_in_words(audit: Audit) -> list[str]:
    """Values tested and not, extremes, then what is missing and what to do about it."""
    lines = [
        f"study {audit.study}: {audit.finished} of {audit.target} trials finished",
        "",
        "values, with trials at each",
    ]
    width = max(WIDTH, *(len(axis) + 2 for axis in audit.values), 0)
    for axis, counts in audit.values.items():
        tested = ", ".join(f"{value} ({count})" for value, count in counts.items() if count)
        lines.append(f"  {axis:<{width}}tested {tested or 'none'}")
        untested = ", ".join(str(value) for value, count in counts.items() if not count)
        lines += [f"  {'':<{width}}not tested {untested}"] if untested else []
        absent = ", ".join(map(str, audit.not_in_grid.get(axis, ())))
        lines += [f"  {'':<{width}}not in grid {absent}"] if absent else []
    found = f"{sum(audit.extremes.values())} of {len(audit.extremes)}"
    lines += ["", f"extremes, {found}" if audit.extremes else "extremes, none: finalists of another study"]
    lines += [f"  {'tested ' if tested else 'MISSING'}  {name}" for name, tested in audit.extremes.items()]
    if audit.failed or audit.interrupted:
        lines += ["", f"{audit.failed} trials failed, {audit.interrupted} interrupted wait to be run again"]
    for schema, count in audit.record_schemas.items():
        if schema < SCHEMA:
            lines += ["", f"record.schema {schema} in {count} trials, read with what such records lack"]
    lines += ["", audit.weights] if audit.weights else []
    if not audit.missing:
        return [*lines, "", "nothing is missing"]
    lines += ["", "missing", *(f"  {line}" for line in audit.missing)]
    if audit.gaps:
        lines.append(f"patchscale supplement {audit.study} would test the rest with {len(audit.gaps)} trials")
    return lines


def issues_in_words(audit: Audit) -> list[str]:
    """Say what stands out: extremes tested, values that the grid lacks, trials that went wrong.

    Examples
    --------
    >>> audit = Audit(study="s", finished=7, target=8, values={}, extremes={"a": True, "b": False},
    ...               not_in_grid={"n_layers": [160, 180]}, duplicates=("d8-L2-h1-ff32 in trials 1, 3",), invalid=(),
    ...               disagreements=(), failed=1, interrupted=2, record_schemas={}, gaps=())
    >>> for issue in issues_in_words(audit): print(issue)
    1 of 2 extremes
    L=160, 180 not in grid
    1 failed trial
    2 interrupted trials to run again
    1 spec run more than once
    """
    tested = sum(audit.extremes.values())
    lines = [f"{tested} of {len(audit.extremes)} extremes"] if audit.extremes else []
    lines += [
        f"{LETTERS[axis]}={', '.join(map(str, values))} not in grid" for axis, values in audit.not_in_grid.items()
    ]
    counts = {
        "failed trial{s}": audit.failed,
        "interrupted trial{s} to run again": audit.interrupted,
        "spec{s} run more than once": len(audit.duplicates),
        "invalid record{s}": len(audit.invalid),
        "finished trial{s} without predictions": len(audit.lost),
        "finished trial{s} whose weights were lost": len(audit.weights_lost),
        "trial{s} on which the stores disagree": len(audit.disagreements),
    }
    return lines + [f"{n} {words.format(s='' if n == 1 else 's')}" for words, n in counts.items() if n]
