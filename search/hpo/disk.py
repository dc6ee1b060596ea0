"""Disk of a study at its peak, known before any of it is run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.filesize import decimal

from model.spec.architecture import total_parameters
from model.training.disk import trial_disk
from pipeline.datasets.dataset import dataset_path
from search.study.study import STANDARD_KEEP

if TYPE_CHECKING:
    from search.study.plan import Plan


@dataclass(frozen=True, kw_only=True, slots=True)
class Disk:
    """Bytes that a study takes at most at one time, beside its records.

    Parameters
    ----------
    weights : int
        Of the trials that keep theirs, each as large as the grid's largest.
    running : int
        Of the trials at work: training states, and checkpoints that come to the store before it is known who lost.
    data : int
        Dataset versions, of the forecast ticker and of those pooled.
    models : int
        Of logged models, where they hold weights of their own.
    n_kept, n_running : int
        Trials of either kind.
    """

    weights: int
    running: int
    data: int
    n_kept: int
    n_running: int
    models: int = 0

    @property
    def total(self) -> int:
        """All of it."""
        return self.weights + self.running + self.data + self.models

    def text(self) -> str:
        """One line.

        Examples
        --------
        >>> Disk(weights=4 * 10**10, running=64 * 10**9, data=10**6, n_kept=5, n_running=1).text()
        '104.0 GB at most: 40.0 GB weights of 5 trials, 64.0 GB of 1 running (training states), 1.0 MB data'
        """
        return (
            f"{decimal(self.total)} at most: {decimal(self.weights)} weights of {self.n_kept} trials, "
            f"{decimal(self.running)} of {self.n_running} running (training states), {decimal(self.data)} data"
            + (f", {decimal(self.models)} logged models" if self.models else "")
        )


def disk_of(
    plan: Plan, *, root: Path, trials: int, left: int, workers: int, keep: int | None, served: bool = False
) -> Disk:
    """Count what a study takes, with the largest architecture of its grid in every place.

    The logged models of the best trials share the weights of the trials' own files on this machine.  They hold them
    twice where artifacts are served, and in a study that goes on until those that lost meanwhile go with its end.

    Parameters
    ----------
    plan : Plan
        Of the study.
    root : Path
        Data directory that holds its dataset versions.
    trials, left : int
        Finished trials that make it complete, and those still to run.
    workers : int
        Trials at a time.
    keep : int, optional
        Trials that keep their weights; None is all.
    served : bool
        Whether artifacts are served: a state then is on the server too, twice while a newer one arrives.
    """
    largest = max(plan.grid().architectures, key=total_parameters)
    each = trial_disk(plan.spec(largest, {}))
    n_kept, n_running = trials if keep is None else min(keep, trials), min(workers, left)
    digests = (plan.data.dataset, *plan.data.pooled_digests)
    n_models, apart = min(keep or int(STANDARD_KEEP), trials), served or left < trials
    return Disk(
        weights=n_kept * plan.n_seeds * each.checkpoint,
        models=n_models * plan.n_seeds * each.checkpoint if apart else 0,
        running=n_running * (each.running + (2 * each.state if served else 0)),
        data=sum(dataset_path(root, digest).stat().st_size for digest in digests),
        n_kept=n_kept,
        n_running=n_running,
    )
