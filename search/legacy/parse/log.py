"""Legacy logs: start and finish lines of trials, brought together by what they say."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

from pipeline.exceptions import InputError
from search.legacy.parse.log_lines import FAIL, MAX_LINE, LogLine, read_line
from search.legacy.parse.log_studies import Parts, StudyPart
from search.legacy.parse.source import MAX_TRIALS, SourceFile
from search.legacy.parse.spilled import Spilled
from search.legacy.recover.build import build_trial
from search.legacy.recover.fields import Fields, canonical, read_number
from search.legacy.recover.report import FileReport
from search.legacy.recover.trial import LegacyTrial, digest

EXACT = ("arch_idx", "d_model", "n_layers", "n_heads", "epochs", "batch_size")
ROUNDED = ("learning_rate", "dropout")
OBJECTIVE = "objective_"
PARAMETERS = (*EXACT, *ROUNDED, "d_ff", "d_ff_ratio", "weight_decay", "warmup_steps")
MAX_OPEN, RECENT = 100, 100
FOREIGN, BROKEN, LONG, UNFINISHED_LINE = "not about a trial", "truncated or malformed", "too long", "no line end"


@dataclass(kw_only=True, slots=True)
class _Pending:
    """A trial while the log is read: where its lines wait, of which any may be missing."""

    number: int
    part: StudyPart
    start: int | None = None
    forced: int | None = None
    end: int | None = None
    mixed: bool = False
    drawn_otherwise: bool = False
    flags: tuple[str, ...] = ()


class _Open(NamedTuple):
    """A trial that has not ended, and what its lines say."""

    trial: _Pending
    start: LogLine
    forced: LogLine | None


def parse_log(source: SourceFile, report: FileReport) -> Sequence[LegacyTrial]:
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
    return Spilled(map(reading.build, reading.trials))


def _lines(source: SourceFile, report: FileReport) -> Iterator[LogLine]:
    """Lines about trials; the others are noted as skipped."""
    for number, text, ended in source.pieces(MAX_LINE):
        report.lines = number
        if not text.strip():
            continue
        if len(text) > MAX_LINE:
            report.skip(number, LONG)
        elif not ended:
            report.skip(number, UNFINISHED_LINE)
        elif (found := read_line(text, number)) is None:
            report.skip(number, FOREIGN)
        elif found.kind == "broken":
            report.skip(number, BROKEN)
        else:
            yield found


@dataclass(kw_only=True, slots=True)
class _Reading:
    """What has been read of a log so far; lines wait in a file until the log's end, when it is known whose they are."""

    lines: Spilled[tuple[int, str]] = field(default_factory=Spilled)
    recent: dict[int, LogLine] = field(default_factory=dict)
    trials: list[_Pending] = field(default_factory=list)
    open: dict[int, list[_Pending]] = field(default_factory=dict)
    failed: dict[int, _Pending] = field(default_factory=dict)
    forced: LogLine | None = None
    parts: Parts = field(default_factory=Parts)

    def take(self, line: LogLine, report: FileReport) -> None:
        """Take the next line."""
        if line.kind in ("study", "script", "script end"):
            self.parts.begin(line)
        elif line.kind == "forced":
            if self.forced is not None:
                report.skip(self.forced.line, "forced dropout of no trial")
            self.forced = line
        elif line.kind == "start":
            self._begin(line, report)
        else:
            self._end(line)

    def _begin(self, line: LogLine, report: FileReport) -> None:
        trial = _Pending(number=line.number, part=self.parts.current, start=self._keep(line))
        forced, self.forced = self.forced, None
        if forced is not None and read_number(forced.says["dropout"]) == read_number(line.says.get("dropout")):
            trial.forced = self._keep(forced)
        elif forced is not None:
            report.skip(forced.line, "forced dropout of no trial")
        self.trials.append(trial)
        waiting = self.open.setdefault(line.number, [])
        waiting.append(trial)
        del waiting[:-MAX_OPEN]
        self.failed.pop(line.number, None)
        self.parts.note_start(line)

    def _end(self, line: LogLine) -> None:
        if self._says_the_failure_again(line):
            return
        self.parts.note_end(line)
        waiting = [self._opened(trial) for trial in self.open.get(line.number, ())]
        fitting = [each for each in waiting if _fits(each, line)]
        otherwise = [] if fitting else [each for each in waiting if _fits(each, line, apart_from=("dropout",))]
        fitting = fitting or otherwise
        if len({(repr(each.start.says), each.trial.part.name) for each in fitting}) == 1:
            trial = fitting[-1].trial
            self._close(trial)
            trial.end, trial.drawn_otherwise = self._keep(line), bool(otherwise)
            if trial.part.name != self.parts.current.name:
                trial.mixed = self.parts.current.mixed = True
        else:
            trial = _Pending(number=line.number, part=self.parts.current, end=self._keep(line))
            starts = [str(each.start.line) for each in fitting or waiting]
            if starts:
                word = "more than one start line fits" if fitting else "no start line fits"
                trial.flags = (f"{word} this end of trial {line.number}: see lines {', '.join(starts[:10])}",)
            self.trials.append(trial)
        if line.says.get("state") == FAIL:
            self.failed[line.number] = trial

    def _says_the_failure_again(self, line: LogLine) -> bool:
        """Whether this is the second of the two lines that Optuna prints of a failure: one says settings and error."""
        trial = self.failed.get(line.number)
        if line.says.get("state") != FAIL or trial is None or trial.end is None:
            return False
        del self.failed[line.number]
        first = self._line(trial.end)
        if _says_value_only(first) == _says_value_only(line):
            return False
        if _says_value_only(first):
            trial.end = self._keep(line)
        return True

    def build(self, trial: _Pending) -> LegacyTrial:
        """Make a trial of what its lines say."""
        places = (trial.start, trial.end, trial.forced)
        return _build(trial, *(None if at is None else self._line(at) for at in places))

    def _opened(self, trial: _Pending) -> _Open:
        assert trial.start is not None, "it was begun"
        start = self.recent.get(trial.start) or self._line(trial.start)
        return _Open(trial, start, None if trial.forced is None else self._line(trial.forced))

    def _close(self, trial: _Pending) -> None:
        waiting = [each for each in self.open.pop(trial.number) if each is not trial]
        if waiting:
            self.open[trial.number] = waiting

    def _keep(self, line: LogLine) -> int:
        """Let a line wait; the last ones are at hand, as most trials end before many others begin."""
        at = self.lines.append((line.line, line.text))
        self.recent[at] = line
        self.recent.pop(at - RECENT, None)
        return at

    def _line(self, at: int) -> LogLine:
        number, text = self.lines[at]
        line = read_line(text, number)
        assert line is not None, "it was read before"
        return line


def _build(trial: _Pending, start: LogLine | None, end: LogLine | None, forced: LogLine | None) -> LegacyTrial:
    part = trial.part
    mixed = part.mixed or trial.mixed
    said = _said(trial.number, start, forced, end)
    fields = Fields(said)
    fields.flags.extend(trial.flags)
    if mixed:
        fields.flags.append("mixed: lines of several studies are mixed; which one it is of, is unknown")
    elif part.maximised:
        fields.flags.append("the log's best value is not the smallest; what its value is, is unknown")
    if forced is not None:
        fields.flags.append(f"dropout was forced to {forced.says['dropout']}, drawn was {forced.says['was']}")
    elif trial.drawn_otherwise and start is not None and end is not None:
        fields.flags.append(f"dropout was {start.says['dropout']} in training, drawn was {end.params['dropout']}")
    lines = [line for line in (forced, start, end) if line is not None]
    study = None if mixed else part.name
    return build_trial(
        fields,
        form=f"log {start.form}" if start is not None else "log end",
        where=f"line {' and '.join(str(line.line) for line in lines if line is not forced)}",
        content=canonical({"lines": [line.text for line in lines]}),
        start=digest(study, start.text) if start is not None else "",
        study=study,
        value_is_loss=part.value_is_loss,
        comparable=not mixed,
        results={name: text for name, text in said.items() if name.startswith(OBJECTIVE)},
        notes={
            "started": start.stamp if start is not None else "",
            "ended": end.stamp if end is not None else "",
            "forced": "dropout" if forced is not None else "",
        },
    )


def _says_value_only(failure: LogLine) -> bool:
    return failure.says.get("error_message", "").startswith("with value")


def _said(number: int, start: LogLine | None, forced: LogLine | None, end: LogLine | None) -> dict[str, Any]:
    """Merge what a trial's lines say; the exact value of a finish line where it agrees with the rounded one."""
    says: dict[str, Any] = {"number": number}
    if end is not None:
        says |= {name: end.params[name] for name in PARAMETERS if name in end.params}
        says |= {name: text for name, text in end.says.items() if name not in ("best", "best_number")}
    if start is not None:
        keep = [name for name in ROUNDED if name in says and _rounds_to(says[name], start.says.get(name, ""))]
        says |= {
            name: text
            for name, text in start.says.items()
            if name not in keep or (forced is not None and name == "dropout")
        }
    return says


def _fits(trial: _Open, end: LogLine, apart_from: Collection[str] = ()) -> bool:
    """Whether an end can be that of a trial: every value that both lines give agrees.

    Apart from some it fits only if a rate that both give agrees: too little else tells a trial from another.
    """
    drawn = {} if trial.forced is None else {"dropout": trial.forced.says["was"]}
    printed, params = {**trial.start.says, **drawn}, end.params
    given = {name for name in printed if params.get(name) is not None}.difference(apart_from)
    if apart_from and "learning_rate" not in given:
        return False
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
