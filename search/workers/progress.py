"""Progress of a study: one line a trial and a bar on a terminal, plain lines in a log."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

LOG_WIDTH = 140


def make_console() -> Console:
    """Make a console that does not fold lines in a log file."""
    console = Console(highlight=False, soft_wrap=True)
    return console if console.is_terminal else Console(highlight=False, soft_wrap=True, width=LOG_WIDTH)


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
        self.finished = finished
        self.target = target
        self._epochs: dict[int, tuple[int, int]] = {}
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._bar = Progress(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal)
        self._task = self._bar.add_task("trials", total=target, completed=finished)

    def __enter__(self) -> StudyProgress:
        self._bar.start()
        return self

    def __exit__(self, *ended: object) -> None:
        self._bar.stop()

    def say(self, line: str) -> None:
        """Write one line above the bar."""
        self.console.print(line, markup=False)

    def event(self, event: dict[str, Any]) -> None:
        """Show one event of a worker."""
        kind, number = event["event"], event.get("number", -1)
        if kind == "epoch":
            self._epochs[number] = (event["epoch"], event["of"])
        elif kind in ("finished", "pruned", "failed", "interrupted"):
            self._epochs.pop(number, None)
        if kind == "finished":
            self.finished += 1
            self.say(trial_line(event, self.finished, self.target))
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
        epochs = ", ".join(f"#{n} epoch {done}/{of}" for n, (done, of) in sorted(self._epochs.items()))
        self._bar.update(self._task, completed=self.finished, description=f"trials  {epochs}")


def trial_line(result: dict[str, Any], finished: int, target: int) -> str:
    """One finished trial on one line.

    Examples
    --------
    >>> trial_line({"number": 4, "label": "d64-L48-h8-ff256", "n_params": 2416833, "epochs": 6, "loss": 0.4225,
    ...             "base_rate_loss": 0.4728, "roc_auc": 0.743, "seconds": 112.3}, 5, 8)
    '[5/8] trial 4  d64-L48-h8-ff256  2,416,833 params  6 epochs  loss 0.4225 (base rate 0.4728)  AUC 0.743  112 s'
    """
    return (
        f"[{finished}/{target}] trial {result['number']}  {result['label']}  {result['n_params']:,} params  "
        f"{result['epochs']} epochs  loss {result['loss']:.4f} (base rate {result['base_rate_loss']:.4f})  "
        f"AUC {result['roc_auc']:.3f}  {result['seconds']:.0f} s"
    )
