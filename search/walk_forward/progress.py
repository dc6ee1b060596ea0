"""Progress of a walk-forward: a bar on a terminal, a line a finished job in a log, both with the time left."""

from __future__ import annotations

import time
from collections.abc import Container, Mapping

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from search.folds.forecast import Job, Outcome

LINE_EVERY_SECONDS = 5.0


class WalkProgress:
    """Show the jobs of one walk-forward after another.

    Parameters
    ----------
    console : Console
        Where to write.
    """

    def __init__(self, console: Console) -> None:
        self.console = console
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._bar = Progress(
            *columns, TextColumn("{task.fields[left]}"), console=console, disable=not console.is_terminal
        )
        self._task = self._bar.add_task("walk-forward", total=0, left="")

    def __enter__(self) -> WalkProgress:
        self._bar.start()
        return self

    def __exit__(self, *ended: object) -> None:
        self._bar.stop()

    def begin(self, name: str, work: Mapping[str, int], kept: Container[str]) -> None:
        """Start with the jobs of a walk-forward.

        Parameters
        ----------
        name : str
            What is walked forward.
        work : mapping
            Job name to the windows that it goes through at most; a guess at its share of the time.
        kept : container
            Names of jobs that an earlier command finished.
        """
        self._name, self._work = name, dict(work)
        self._waiting = {job for job in work if job not in kept}
        self._started = self._said = time.monotonic()
        self._done_work = 0
        n_kept = len(work) - len(self._waiting)
        if n_kept:
            self.console.print(f"{name}: {n_kept} of {len(work)} parts are kept from an earlier command", markup=False)
        self._bar.update(self._task, total=len(work), completed=n_kept, description=name, left="")

    def done(self, job: Job, outcome: Outcome) -> None:
        """Count a job that was done just now."""
        self._waiting.discard(job.name)
        self._done_work += self._work[job.name]
        left = self._time_left()
        n_done = len(self._work) - len(self._waiting)
        self._bar.update(self._task, completed=n_done, left=left)
        now = time.monotonic()
        if not self.console.is_terminal and now - self._said > LINE_EVERY_SECONDS:
            self._said = now
            done = f"[{n_done}/{len(self._work)}] {self._name}  {job.name}"
            self.console.print(f"{done}  {outcome.n_epochs} epochs  {outcome.seconds:.1f} s  {left}", markup=False)

    def _time_left(self) -> str:
        remaining = sum(self._work[name] for name in self._waiting)
        rate = self._done_work / max(1e-9, time.monotonic() - self._started)
        return f"about {remaining / rate / 60:.1f} min left" if remaining else "done"
