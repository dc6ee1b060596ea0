"""What an import read, recovered, flagged and skipped, with the place of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from search.legacy.recover.architecture import UNKNOWN
from search.legacy.recover.trial import ROC_AUC, UNNAMED, LegacyTrial

SHOWN = 40
MAX_RANGES = 1000
RECOVERED = "recovered"
# Said of values that are not called a loss: they are not compared with losses.
VALUES = {UNNAMED: "of no name, kept as best/objective", ROC_AUC: "an AUC (it equals val_auc)"}


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
        return [trial for trial in self.trials if trial.architecture.n_heads_origin.startswith(RECOVERED)]

    @property
    def flagged(self) -> list[LegacyTrial]:
        """Trials with something a reader must know."""
        return [trial for trial in self.trials if trial.all_flags]

    def text(self, shown: int | None = SHOWN) -> Iterator[str]:
        """Lines for people; at most ``shown`` a heading, all if it is None."""
        found = _Findings()
        for trial in self.trials:
            found.add(trial)
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
        for objective, words in VALUES.items():
            if found.values[objective]:
                yield f"  value {words}: {found.values[objective]:,} trials"
        yield from _listed("recovered n_heads", found.recovered.lines(), shown, count=found.recovered.count)
        yield from _listed("n_heads unknown", found.unknown.lines(), shown, count=found.unknown.count)
        homeless = [f"{name} ({count:,} trials)" for name, count in self.homeless.items()]
        yield from _listed("found no home (give one with --map OURS=THEIRS)", homeless, shown)
        flags = (f"{trial.where}: {flag}" for trial in self.trials for flag in trial.all_flags)
        if found.flagged:
            yield f"  flagged ({found.flagged} trials):"
            yield from (f"    {line}" for line in islice(flags, shown))
        if shown is not None and found.flags > shown:
            yield f"    … {found.flags - shown} more"
        for reason, ranges in self.skipped.items():
            texts = [str(first) if first == last else f"{first}-{last}" for first, last in ranges]
            more = "" if len(texts[:shown]) == len(texts) < MAX_RANGES else ", …"
            yield f"  skipped, {reason}: {self.skipped_lines[reason]:,} lines: {', '.join(texts[:shown])}{more}"
        yield from _listed("skipped, repeated", self.repeated, shown)


@dataclass(kw_only=True, slots=True)
class _Places:
    """Places that share a reason: how many, and the first of them."""

    count: int = 0
    first: dict[str, list[str]] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, reason: str, place: str) -> None:
        """Note a place."""
        self.count += 1
        self.counts[reason] += 1
        places = self.first.setdefault(reason, [])
        if len(places) < SHOWN:
            places.append(place)

    def lines(self) -> list[str]:
        """One a reason."""
        more = {reason: f", … {count - SHOWN} more" for reason, count in self.counts.items() if count > SHOWN}
        return [f"{reason}: {', '.join(places)}{more.get(reason, '')}" for reason, places in self.first.items()]


@dataclass(kw_only=True, slots=True)
class _Findings:
    """What is said of a file's trials together."""

    values: Counter[str] = field(default_factory=Counter)
    recovered: _Places = field(default_factory=_Places)
    unknown: _Places = field(default_factory=_Places)
    flagged: int = 0
    flags: int = 0

    def add(self, trial: LegacyTrial) -> None:
        """Take a trial."""
        a = trial.architecture
        if a.n_heads_origin.startswith(RECOVERED):
            reason = a.n_heads_origin.removeprefix(f"{RECOVERED} ").strip("()")
            self.recovered.add(reason, f"{trial.where} n_heads={a.n_heads}")
        elif a.n_heads_origin == UNKNOWN:
            self.unknown.add(a.candidates or "no candidates", trial.where)
        if trial.outcome.value is not None:
            self.values[trial.outcome.objective] += 1
        self.flagged += bool(trial.all_flags)
        self.flags += len(trial.all_flags)


def _listed(heading: str, lines: Sequence[str], shown: int | None, count: int | None = None) -> Iterator[str]:
    if not lines:
        return
    yield f"  {heading}{'' if count is None else f' ({count} trials)'}:"
    cut = lines[:shown]
    yield from (f"    {line}" for line in cut)
    if len(cut) < len(lines):
        yield f"    … {len(lines) - len(cut)} more"
