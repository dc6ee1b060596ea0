"""What search and record cost a trial, without training: ``python -m benchmarks.overhead``.

Real stores (SQLite in a temporary directory), the real runner, the real record and data; only the steps of
an epoch are left out. A trial's cost is split into a part a trial and a part an epoch by two epoch counts.
Time by the clock, and in parentheses the processor's: the two differ by waiting for the disk and for other work.
"""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from importlib.metadata import version
from pathlib import Path

import click
import numpy as np

BLOCK = 100
EPOCHS = 6


@contextmanager
def no_training():
    """Let every epoch return at once what the first one of its model would."""
    from model.metrics import evaluate
    from model.training.trainer import EpochResult, Trainer

    def next_epoch(trainer):
        y = trainer.windows.outcomes(trainer.windows.rows.validation)
        validation = getattr(trainer, "_fixed", None) or evaluate(y, y * 0 + y.mean())
        trainer._fixed = validation
        trainer.epoch += 1
        trainer.best_epoch, trainer.best_loss = trainer.epoch, validation.loss
        return EpochResult(
            epoch=trainer.epoch,
            train_loss=validation.loss,
            validation=validation,
            learning_rate=1e-3,
            samples_per_second=1.0,
            is_best=True,
        )

    original = Trainer._next_epoch
    Trainer._next_epoch = next_epoch
    try:
        yield
    finally:
        Trainer._next_epoch = original


def run_trials(stores, plan, dataset, root, trials):
    """Seconds of each of so many trials of a new study, by the clock and of the processor: shape (trials, 2)."""
    from search.study.study import open_or_create_study
    from search.trial.runner import TrialRunner

    study = open_or_create_study(stores, plan, trials=trials, data_root=root, pruner="none")
    runner = TrialRunner(study, dataset, device="cpu", report=lambda event: None, should_stop=lambda: False)
    seconds = []
    for _ in range(trials):
        started = time.perf_counter(), time.process_time()
        runner.run_next()
        seconds.append((time.perf_counter() - started[0], time.process_time() - started[1]))
    assert len(study.finished()) == trials
    return np.array(seconds)


def in_ms(seconds):
    """Clock (processor) in milliseconds."""
    return f"{seconds[0] * 1e3:6.1f} ms ({seconds[1] * 1e3:.1f})"


@click.command()
@click.option("--trials", default=2000, show_default=True, help="Trials of the long study.")
@click.option(
    "--block", default=BLOCK, show_default=True, help="Trials of the first and the last block, and of the split."
)
def main(trials: int, block: int) -> None:
    """Print the overhead a trial and an epoch, and how it grows with the study."""
    import torch

    torch.set_num_threads(1)
    from search.study.make_plan import make_plan
    from search.study.request import HpoRequest
    from search.tracking.stores import resolve_stores

    with tempfile.TemporaryDirectory() as directory, no_training():
        os.chdir(directory)
        root = Path(directory) / "data"
        request = HpoRequest(budget="5K", max_epochs=1, patience=1, study="one", tier="r25")
        plan, dataset = make_plan(request, root=root)
        stores = resolve_stores()
        one = run_trials(stores, plan, dataset, root, block)
        many = run_trials(stores, replace(plan, study="many", max_epochs=EPOCHS), dataset, root, block)
        epoch = (np.median(many, axis=0) - np.median(one, axis=0)) / (EPOCHS - 1)
        click.echo(f"a trial without its epochs: {in_ms(np.median(one, axis=0) - epoch)} (median of {block})")
        click.echo(f"an epoch:                   {in_ms(epoch)}")
        long = run_trials(stores, replace(plan, study="long"), dataset, root, trials)
        for start in range(0, trials, max(block, trials // 10)):
            part = long[start : start + block]
            click.echo(f"trials {start + 1:>5} to {start + len(part):>5}: {in_ms(part.mean(axis=0))} each")
        clock, processor = long[-block:].mean(axis=0) / long[:block].mean(axis=0)
        click.echo(f"last {block} of {trials} against the first {block}: {clock:.2f} ({processor:.2f})")
        os.chdir("/")
    libraries = ", ".join(f"{name} {version(name)}" for name in ("mlflow", "optuna", "torch", "sqlalchemy"))
    click.echo(
        f"{date.today()}, Python {sys.version.split()[0]}, {libraries}, {os.cpu_count()} cores, {platform.machine()}"
    )


if __name__ == "__main__":
    main()
