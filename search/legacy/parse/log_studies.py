"""Whose lines a log holds: studies one after the other, or several processes at once."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

from search.legacy.parse.log_lines import IN_MEMORY, LogLine
from search.legacy.recover.build import is_known_loss
from search.legacy.recover.fields import read_number

ROUNDING = 1e-9


class Best(NamedTuple):
    """A best trial and value, as a finish line says them."""

    number: int
    value: float


@dataclass(kw_only=True, slots=True)
class StudyPart:
    """Lines between two that name a study or script.

    Parameters
    ----------
    name : str, optional
        None before the first such line.
    fresh : bool
        Whether the study was made here and in memory: each of its numbers is begun once.
    script : bool
        Whether only a script is named, whose study may be named next.
    mixed : bool
        Whether lines of another process are among them.
    minimised, maximised : bool
        What its best values prove.
    trials : int
        Begun or ended in it.
    begun, last : set of int, int
        Numbers begun, and the highest of them.
    values, lowest, highest : dict, float, float
        Value of each number that ended, and the extremes of the finite ones.
    """

    name: str | None = None
    fresh: bool = False
    script: bool = False
    mixed: bool = False
    minimised: bool = False
    maximised: bool = False
    trials: int = 0
    begun: set[int] = field(default_factory=set)
    last: int = -1
    values: dict[int, float] = field(default_factory=dict)
    lowest: float = math.inf
    highest: float = -math.inf

    @property
    def value_is_loss(self) -> bool:
        """Whether a value is the earlier study's loss: known by its name, else by its values, which were minimised.

        A log of its form that names no study, or only a script, is taken for one of its own.
        """
        if self.maximised:
            return False
        return self.name is None or self.script or self.minimised or is_known_loss(self.name)


@dataclass(kw_only=True, slots=True)
class Parts:
    """Parts of a log as it is read.

    Parameters
    ----------
    current : StudyPart
        The one whose lines are read.
    earlier : list of StudyPart
        Those before it in which there was a trial.
    values_of : dict
        Values of the last part of a name, if it has some.
    """

    current: StudyPart = field(default_factory=StudyPart)
    earlier: list[StudyPart] = field(default_factory=list)
    values_of: dict[str, dict[int, float]] = field(default_factory=dict)

    def begin(self, line: LogLine) -> None:
        """Begin the part of a line that names a study, or the script that will make one.

        Two studies of which no trial was seen in between were made by two processes.
        """
        last = self.current
        if line.kind == "script end":
            self._add(StudyPart())
            return
        if line.kind == "script":
            self._add(StudyPart(name=line.says["name"].rsplit("/", 1)[-1], script=True))
            return
        made = line.form == IN_MEMORY
        at_once = last.name not in (None, line.says["name"]) and not last.script and last.trials == 0
        self._add(StudyPart(name=line.says["name"], fresh=made, mixed=at_once or (last.mixed and not made)))
        if not made:
            self.current.values = self.values_of.get(line.says["name"], self.current.values)

    def note_start(self, line: LogLine) -> None:
        """Take a trial that begins: a number that a fresh study has begun, or that goes on another's, is another's."""
        part, number = self.current, line.number
        if part.fresh and (number in part.begun or self._goes_on(number)):
            part.mixed = True
        part.begun.add(number)
        part.last = max(part.last, number)
        part.trials += 1

    def note_end(self, line: LogLine) -> None:
        """Take a trial that ends, and compare the best value that it names with those that were seen."""
        part, value = self.current, read_number(line.says.get("value"))
        part.trials += 1
        if part.fresh and line.number in part.values:
            part.mixed = True
        if value is None:
            return
        best = _best(line)
        if best is not None:
            self._compare(part, line.number, value, best)
        part.values[line.number] = value
        if math.isfinite(value):
            part.lowest, part.highest = min(part.lowest, value), max(part.highest, value)

    def _compare(self, part: StudyPart, number: int, value: float, best: Best) -> None:
        if best.value > value:
            part.maximised = True
        elif best.value < value:
            part.minimised = True
        if best.value == value and part.lowest <= part.highest:
            part.minimised |= part.lowest > value
            part.maximised |= part.highest < value
        if part.name is None:
            return
        if part.minimised and part.maximised:
            part.mixed = True
        if best.number == number:
            return
        seen = part.values.get(best.number)
        if seen is not None and not _same(seen, best.value):
            part.mixed = True
        elsewhere = (each.values.get(best.number) for each in self.earlier if each.name != part.name)
        if seen is None and part.fresh and any(each is not None and _same(each, best.value) for each in elsewhere):
            part.mixed = True

    def _goes_on(self, number: int) -> bool:
        """Whether a number is the next of an earlier part, and not of this one."""
        return number > self.current.last + 1 and any(part.begun and number == part.last + 1 for part in self.earlier)

    def _add(self, part: StudyPart) -> None:
        last, self.current = self.current, part
        if last.trials:
            self.earlier.append(last)
        if last.name is not None and last.values:
            self.values_of[last.name] = last.values
        elif last.name is not None:
            self.values_of.pop(last.name, None)


def _best(line: LogLine) -> Best | None:
    value = read_number(line.says.get("best"))
    return Best(int(line.says["best_number"]), value) if value is not None and math.isfinite(value) else None


def _same(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=ROUNDING) or (math.isnan(one) and math.isnan(other))
