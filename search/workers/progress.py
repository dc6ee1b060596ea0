"""Progress of a study: a table of the trials at work above a bar on a terminal, plain lines in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from search.workers.at_work import AtWork, in_words

LOG_WIDTH = 140
LINE_EVERY_SECONDS = 60.0
"""How often a log hears of an epoch; a terminal sees each one in the table."""
REFRESHES_A_SECOND = 2
ENDED = ("finished", "pruned", "failed", "interrupted", "reused", "closed")
"""Events after which a trial is not at work."""


def make_console() -> Console:
    """Make a console that does not fold lines in a log file.

    A pipe is one, whoever asks for colours there: ``FORCE_COLOR``, which CI and notebooks set, makes no terminal whose
    lines could be written again.
    """
    if sys.stdout.isatty():
        return Console(highlight=False, soft_wrap=True)
    return Console(highlight=False, soft_wrap=True, width=LOG_WIDTH, force_terminal=False)


class StudyProgress:
    """Show a study's events.

    Parameters
    ----------
    console : Console
        Where to write.
    finished, target : int
        Trials done so far and asked for.
    """

    def __init__(self, console: Console, *, finished: int, target: int) -> None:
        self.console = console
        self.finished = self._before = finished
        self.target = target
        self._trials: dict[int, AtWork] = {}
        self._began = self._said = time.monotonic()
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._bar = Progress(*columns, TextColumn("{task.fields[left]}"), console=console, auto_refresh=False)
        self._task = self._bar.add_task("trials", total=target, completed=finished, left="")
        self._live: Live | None = None
        if console.is_terminal:
            self._live = Live(console=console, get_renderable=self.table, refresh_per_second=REFRESHES_A_SECOND)

    def __enter__(self) -> StudyProgress:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *ended: object) -> None:
        if self._live is not None:
            self._live.stop()

    def say(self, line: str) -> None:
        """Write one line above the table."""
        self.console.print(line, markup=False)

    def hand_out(self, number: int, label: str) -> None:
        """Count a trial as at work from now on."""
        self._trials[number] = AtWork(label=label, began=time.monotonic())

    def take_back(self, number: int) -> None:
        """Count it so no more."""
        self._trials.pop(number, None)

    def event(self, event: dict[str, Any]) -> None:
        """Show one event of a worker."""
        kind, number = event["event"], event.get("number", -1)
        if kind in ENDED:
            self.take_back(number)
        if kind == "epoch":
            self._epoch(number, event)
        elif kind == "finished":
            self.finished += 1
            self.say(trial_line(event, self.finished, self.target) + self.time_left("  "))
        elif kind == "pruned":
            self.say(f"trial {number} pruned: worse than the median of the trials before it")
        elif kind == "reused":
            self.say(f"trial {number} is trial {event['earlier']} again: its result is reused")
        elif kind == "failed":
            self.say(f"trial {number} failed: {event['error']}")
        elif kind == "note":
            self.say(event["text"])
        elif kind == "interrupted":
            self.say(f"trial {number} stopped; it will be run again")

    def _epoch(self, number: int, event: dict[str, Any]) -> None:
        """Take what an epoch did; a log hears of it too, unless it was written to a moment ago."""
        now = time.monotonic()
        trial = self._trials.setdefault(number, AtWork(label="", began=now))
        trial.heard(event, now)
        if self._live is None and now - self._said > LINE_EVERY_SECONDS:
            self._said = now
            self.say(f"trial {number}  {trial.line(now)}{self.time_left('  ')}")

    def time_left(self, before: str = "") -> str:
        """Say how long the study will take from now; nothing while no epoch tells, or once it is done."""
        now, trials = time.monotonic(), tuple(self._trials.values())  # the table is drawn in a thread of its own
        shares = sum(trial.share for trial in trials)
        done = self.finished - self._before + shares
        missing = self.target - self.finished - shares
        if done <= 0 or missing <= 0:
            return ""
        seconds = max((now - self._began) / done * missing, *_known(trials, now))
        return f"{before}about {in_words(seconds)} left"

    def table(self) -> RenderableType:
        """Return what a terminal shows now: a row a trial at work, and the bar."""
        now = time.monotonic()
        table = Table(box=None, pad_edge=False, header_style="bold")
        for name in ("trial", "architecture", "epoch", "loss", "base rate", "time", "left"):
            table.add_column(name, justify="left" if name == "architecture" else "right", no_wrap=True)
        for number, trial in sorted(self._trials.items()):
            table.add_row(str(number), *trial.cells(now))
        self._bar.update(self._task, completed=self.finished, left=self.time_left())
        return Group(*([table] if self._trials else []), self._bar)


def _known(trials: Iterable[AtWork], now: float) -> Iterable[float]:
    """Seconds that trials at work will take at least; the trials at the end keep a study as long as the longest."""
    yield 0.0
    yield from (left for trial in trials if (left := trial.seconds_left(now)) is not None)


def trial_line(result: dict[str, Any], finished: int, target: int) -> str:
    """One finished trial on one line.

    Examples
    --------
    >>> trial_line({"number": 4, "label": "d64-L48-h8-ff256", "n_params": 2416833, "epochs": 6, "loss": 0.4225,
    ...             "base_rate_loss": 0.4728, "roc_auc": 0.743, "seconds": 112.3}, 5, 8)
    '[5/8] trial 4  d64-L48-h8-ff256  2,416,833 params  6 epochs  loss 0.4225 (base rate 0.4728)  AUC 0.743  112 s'
    """
    epochs = f"{result['epochs']} epoch{'s' * (result['epochs'] != 1)}"
    return (
        f"[{finished}/{target}] trial {result['number']}  {result['label']}  {result['n_params']:,} params  "
        f"{epochs}  loss {result['loss']:.4f} (base rate {result['base_rate_loss']:.4f})  "
        f"AUC {result['roc_auc']:.3f}  {result['seconds']:.0f} s"
    )
