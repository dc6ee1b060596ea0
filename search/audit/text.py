"""An audit in lines that people read."""

from __future__ import annotations

from search.audit.audit import Audit

WIDTH = 12


def audit_in_words(audit: Audit) -> list[str]:
    """Values tested and not, extremes, then what is missing and what to do about it."""
    lines = [
        f"study {audit.study}: {audit.finished} of {audit.target} trials finished",
        "",
        "values, with trials at each",
    ]
    for axis, counts in audit.values.items():
        tested = ", ".join(f"{value} ({count})" for value, count in counts.items() if count)
        lines.append(f"  {axis:<{WIDTH}}tested {tested or 'none'}")
        untested = ", ".join(str(value) for value, count in counts.items() if not count)
        lines += [f"  {'':<{WIDTH}}not tested {untested}"] if untested else []
        absent = ", ".join(map(str, audit.not_in_grid.get(axis, ())))
        lines += [f"  {'':<{WIDTH}}not in grid {absent}"] if absent else []
    lines += ["", f"extremes, {sum(audit.extremes.values())} of {len(audit.extremes)}"]
    lines += [f"  {'tested ' if tested else 'MISSING'}  {name}" for name, tested in audit.extremes.items()]
    if audit.failed or audit.interrupted:
        lines += ["", f"{audit.failed} trials failed, {audit.interrupted} interrupted wait to be run again"]
    if not audit.missing:
        return [*lines, "", "nothing is missing"]
    lines += ["", "missing", *(f"  {line}" for line in audit.missing)]
    if audit.gaps:
        lines.append(f"patchscale supplement {audit.study} would test the rest with {len(audit.gaps)} trials")
    return lines
