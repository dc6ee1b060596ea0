"""Legacy logs: start and finish lines of trials, brought together by what they say."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from pipeline.exceptions import InputError
from search.legacy.parse.log_lines import MAX_LINE, LogLine, read_line
from search.legacy.parse.source import MAX_TRIALS, SourceFile
from search.legacy.recover.build import build_trial
from search.legacy.recover.fields import Fields, canonical, printable, read_number
from search.legacy.recover.report import FileReport
from search.legacy.recover.trial import LegacyTrial, digest

EXACT = ("arch_idx", "d_model", "n_layers", "n_heads", "epochs", "batch_size")
ROUNDED = ("learning_rate", "dropout")
PARAMETERS = (*EXACT, *ROUNDED, "d_ff", "d_ff_ratio", "weight_decay", "warmup_steps")
MAX_OPEN = 100
FOREIGN, BROKEN, LONG, UNFINISHED_LINE = "not about a trial", "truncated or malformed", "too long", "no line end"


@dataclass(kw_only=True, slots=True)
class _Pending:
    """A trial while the log is read: any of its lines may be missing."""

    number: int
    study: str | None
    start: LogLine | None = None
    forced: LogLine | None = None
    end: LogLine | None = None
    flags: list[str] = field(default_factory=list)


def parse_log(source: SourceFile, report: FileReport) -> list[LegacyTrial]:
    """Read every trial line; other lines are skipped and listed.

    A finish line belongs to the open trial of its number with whose printed values its parameters
    agree; where several that differ agree, or none does, it stands alone and says so. A trial begun
    twice with the same values, as after a restart, ended the second time.

    Raises
    ------
    InputError
        If no line is about a trial.
    """
    reading = _Reading()
    for line in _lines(source, report):
        reading.take(line, report)
        if len(reading.trials) > MAX_TRIALS:
            raise InputError(f"a legacy file must have at most {MAX_TRIALS:,} trials, got more in {source.name}")
    if not reading.trials:
        raise InputError(
            f"a legacy log must have lines like 'Trial 7: arch_idx=57, d_model=64, …', got none in {source.name}; "
            "check that it is the log of a study, or say its kind with --kind"
        )
    return [reading.build(trial) for trial in reading.trials]


def _lines(source: SourceFile, report: FileReport) -> Iterator[LogLine]:
    """Lines about trials; the others are noted as skipped."""
    for number, text in enumerate(io.StringIO(source.text), 1):
        report.lines = number
        if not text.strip():
            continue
        if len(text) > MAX_LINE:
            report.skip(number, LONG)
        elif not text.endswith("\n"):
            report.skip(number, UNFINISHED_LINE)
        elif (found := read_line(text, number)) is None:
            report.skip(number, FOREIGN)
        elif found.kind == "broken":
            report.skip(number, BROKEN)
        else:
            yield found


@dataclass(kw_only=True, slots=True)
class _Reading:
    """What has been read of a log so far."""

    trials: list[_Pending] = field(default_factory=list)
    open: dict[int, list[_Pending]] = field(default_factory=dict)
    forced: LogLine | None = None
    study: str | None = None
    since_study: int = 0
    mixed: bool = False
    maximised: bool = False

    def take(self, line: LogLine, report: FileReport) -> None:
        """Take the next line."""
        if line.kind == "study":
            self.mixed = self.mixed or (self.study is not None and self.since_study == 0)
            self.study, self.since_study = printable(line.says["name"]), 0
        elif line.kind == "forced":
            if self.forced is not None:
                report.skip(self.forced.line, "forced dropout of no trial")
            self.forced = line
        elif line.kind == "start":
            self._begin(line, report)
        else:
            self._end(line)

    def _begin(self, line: LogLine, report: FileReport) -> None:
        trial = _Pending(number=line.number, study=self.study, start=line)
        if self.forced is not None:
            if read_number(self.forced.says["dropout"]) == read_number(line.says.get("dropout")):
                trial.forced = self.forced
            else:
                report.skip(self.forced.line, "forced dropout of no trial")
            self.forced = None
        self.trials.append(trial)
        waiting = self.open.setdefault(line.number, [])
        waiting.append(trial)
        del waiting[:-MAX_OPEN]
        self.since_study += 1

    def _end(self, line: LogLine) -> None:
        value, best = read_number(line.says.get("value")), read_number(line.says.get("best"))
        if value is not None and best is not None and best > value and math.isfinite(best):
            self.maximised = True
        waiting = self.open.get(line.number, [])
        fitting = [trial for trial in waiting if _fits(trial, line)]
        if len({(repr(trial.start.says), trial.study) for trial in fitting if trial.start is not None}) == 1:
            fitting[-1].end = line
            waiting.remove(fitting[-1])
            self.mixed = self.mixed or fitting[-1].study != self.study
            return
        alone = _Pending(number=line.number, study=self.study, end=line)
        starts = [str(trial.start.line) for trial in fitting or waiting if trial.start is not None]
        if starts:
            word = "more than one start line fits" if fitting else "no start line fits"
            alone.flags.append(f"{word} this end of trial {line.number}: see lines {', '.join(starts[:10])}")
        self.trials.append(alone)

    def build(self, trial: _Pending) -> LegacyTrial:
        """Make a trial of what its lines say."""
        start, end, forced = trial.start, trial.end, trial.forced
        fields = Fields(_said(trial))
        fields.flags.extend(trial.flags)
        if self.mixed:
            fields.flags.append("lines of several studies are mixed; which one it is of, is unknown")
        if self.maximised:
            fields.flags.append("the log's best value is not the smallest; what its value is, is unknown")
        if forced is not None:
            fields.flags.append(f"dropout was forced to {forced.says['dropout']}, drawn was {forced.says['was']}")
        lines = [line for line in (forced, start, end) if line is not None]
        study = None if self.mixed else trial.study
        return build_trial(
            fields,
            form=f"log {start.form}" if start is not None else "log end",
            where=f"line {' and '.join(str(line.line) for line in lines if line is not forced)}",
            content=canonical({"lines": [line.text for line in lines]}),
            start=digest(study, start.text) if start is not None else "",
            study=study,
            value_is_loss=not self.maximised,
            notes={
                "started": start.stamp if start is not None else "",
                "ended": end.stamp if end is not None else "",
                "forced": "dropout" if forced is not None else "",
            },
        )


def _said(trial: _Pending) -> dict[str, Any]:
    """Merge what a trial's lines say; the exact value of a finish line where it agrees with the rounded one."""
    says: dict[str, Any] = {"number": trial.number}
    if trial.end is not None:
        says |= {name: trial.end.params[name] for name in PARAMETERS if name in trial.end.params}
        says |= {name: text for name, text in trial.end.says.items() if name != "best"}
    if trial.start is not None:
        keep = [name for name in ROUNDED if name in says and not (name == "dropout" and trial.forced is not None)]
        says |= {name: text for name, text in trial.start.says.items() if name not in keep}
    return says


def _fits(trial: _Pending, end: LogLine) -> bool:
    """Whether an end can be that of a trial: every value that both lines give agrees."""
    assert trial.start is not None
    drawn = {} if trial.forced is None else {"dropout": trial.forced.says["was"]}
    printed, params = {**trial.start.says, **drawn}, end.params
    given = {name for name in printed if params.get(name) is not None}
    return all(read_number(params[name]) == read_number(printed[name]) for name in given.intersection(EXACT)) and all(
        _rounds_to(params[name], printed[name]) for name in given.intersection(ROUNDED)
    )


def _rounds_to(value: object, printed: str) -> bool:
    exact, shown = read_number(value), read_number(printed)
    if exact is None or shown is None or not (math.isfinite(exact) and math.isfinite(shown)):
        return repr(exact) == repr(shown)
    exponent = Decimal(printed).as_tuple().exponent
    assert isinstance(exponent, int)
    return abs(exact - shown) <= 0.51 * 10.0**exponent
