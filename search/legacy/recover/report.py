"""What an import read, recovered, flagged and skipped, with the place of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from search.legacy.recover.architecture import UNKNOWN
from search.legacy.recover.trial import ROC_AUC, UNNAMED, LegacyTrial

SHOWN = 40
MAX_RANGES = 1000


@dataclass(kw_only=True, slots=True)
class FileReport:
    """Of one file; the importer fills in what became of its trials.

    Parameters
    ----------
    name, kind : str
        Of the file.
    lines : int
        Read.
    trials : sequence of LegacyTrial
        Found in it.
    skipped : dict
        Line numbers by reason, as ranges ``[first, last]``, at most a thousand of them.
    skipped_lines : dict
        How many lines by reason.
    repeated, present, written, replaced : int
        Trials that the import had already read, that were already in the record, that it wrote, and
        how many of those took the place of an unfinished run.
    same : Counter
        Trials that another file says too, by its name.
    homeless : Counter
        Fields that found no home in a run, with the number of trials that have them.
    notes : list of str
        What else a reader must know of the file.
    about : dict
        Tags of each study's own run, by the study's name.
    """

    name: str
    kind: str
    lines: int = 0
    trials: Sequence[LegacyTrial] = field(default_factory=list)
    skipped: dict[str, list[list[int]]] = field(default_factory=dict)
    skipped_lines: Counter[str] = field(default_factory=Counter)
    repeated: list[str] = field(default_factory=list)
    present: int = 0
    written: int = 0
    replaced: int = 0
    same: Counter[str] = field(default_factory=Counter)
    homeless: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    about: dict[str, dict[str, str]] = field(default_factory=dict)

    def skip(self, line: int, reason: str) -> None:
        """Note a line that is no part of a trial; neighbours become one range."""
        ranges = self.skipped.setdefault(reason, [])
        self.skipped_lines[reason] += 1
        if ranges and ranges[-1][1] == line - 1:
            ranges[-1][1] = line
        elif len(ranges) < MAX_RANGES:
            ranges.append([line, line])

    @property
    def recovered(self) -> list[LegacyTrial]:
        """Trials whose head count was recovered."""
        return [trial for trial in self.trials if trial.architecture.n_heads_origin.startswith("recovered")]

    @property
    def flagged(self) -> list[LegacyTrial]:
        """Trials with something a reader must know."""
        return [trial for trial in self.trials if trial.all_flags]

    def text(self, shown: int | None = SHOWN) -> Iterator[str]:
        """Lines for people; at most ``shown`` a heading, all if it is None."""
        unknown = [t for t in self.trials if t.architecture.n_heads_origin == UNKNOWN]
        yield (
            f"{self.name} ({self.kind}, {self.lines:,} lines): {len(self.trials):,} trials read, {self.written:,} "
            f"written, {self.present:,} already there"
        )
        if self.replaced:
            yield f"  {self.replaced} of them replace an unfinished run"
        yield from (
            f"  {count:,} of them are also in {file}: one run, both sources named" for file, count in self.same.items()
        )
        yield from (f"  {note}" for note in self.notes)
        yield from _unnamed(self.trials)
        recovered = _grouped(
            (
                t.architecture.n_heads_origin.removeprefix("recovered ").strip("()"),
                f"{t.where} n_heads={t.architecture.n_heads}",
            )
            for t in self.recovered
        )
        yield from _listed("recovered n_heads", recovered, shown, count=len(self.recovered))
        candidates = _grouped((t.architecture.candidates or "no candidates", t.where) for t in unknown)
        yield from _listed("n_heads unknown", candidates, shown, count=len(unknown))
        homeless = [f"{name} ({count:,} trials)" for name, count in self.homeless.items()]
        yield from _listed("found no home (give one with --map OURS=THEIRS)", homeless, shown)
        flagged = [f"{trial.where}: {flag}" for trial in self.flagged for flag in trial.all_flags]
        yield from _listed("flagged", flagged, shown, count=len(self.flagged))
        for reason, ranges in self.skipped.items():
            texts = [str(first) if first == last else f"{first}-{last}" for first, last in ranges]
            more = "" if len(texts[:shown]) == len(texts) < MAX_RANGES else ", …"
            yield f"  skipped, {reason}: {self.skipped_lines[reason]:,} lines: {', '.join(texts[:shown])}{more}"
        yield from _listed("skipped, repeated", self.repeated, shown)


def _unnamed(trials: Iterable[LegacyTrial]) -> Iterator[str]:
    """Say that values are not called a loss: they are not compared with losses."""
    values = [trial.outcome.objective for trial in trials if trial.outcome.value is not None]
    for objective, shown in ((UNNAMED, "of no name, kept as best/objective"), (ROC_AUC, "an AUC (it equals val_auc)")):
        if objective in values:
            yield f"  value {shown}: {values.count(objective):,} trials"


def _grouped(found: Iterable[tuple[str, str]]) -> list[str]:
    """Bring places together that share a reason."""
    groups: dict[str, list[str]] = {}
    for reason, place in found:
        groups.setdefault(reason, []).append(place)
    more = {reason: f", … {len(places) - SHOWN} more" for reason, places in groups.items() if len(places) > SHOWN}
    return [f"{reason}: {', '.join(places[:SHOWN])}{more.get(reason, '')}" for reason, places in groups.items()]


def _listed(heading: str, lines: Sequence[str], shown: int | None, count: int | None = None) -> Iterator[str]:
    if not lines:
        return
    yield f"  {heading}{'' if count is None else f' ({count} trials)'}:"
    cut = lines[:shown]
    yield from (f"    {line}" for line in cut)
    if len(cut) < len(lines):
        yield f"    … {len(lines) - len(cut)} more"
