"""Refit: a spec trained for a known number of epochs on given rows, without a choice on any validation day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

import numpy as np

from model.network.patchtst import PatchTST
from model.spec.choices import NONE
from model.spec.spec import Spec
from model.training.execution import Execution
from model.training.trainer import Trainer, build_model
from model.windows import Windows
from pipeline.datasets.dataset import DatasetVersion
from pipeline.exceptions import InputError, TrainingError
from pipeline.splits.splits import Index, labelled_rows


def refit(
    spec: Spec, windows: Windows, train_rows: Index, *, n_epochs: int, seed: int, execution: Execution | None = None
) -> PatchTST:
    """Train exactly so many epochs on these rows and keep the last weights.

    Statistics of the features and a base logit are fitted to the same rows.  The learning rate runs as in a
    trial: towards the end of the spec's ``max_epochs``, of which the first ``n_epochs`` are trained.  So on a
    trial's own training rows, with its seed and its best epoch, the weights are the trial's, bit for bit.

    Parameters
    ----------
    spec : Spec
        What to train.
    windows : Windows
        From :func:`model.windows.make_windows`, on the device to train on; of their labels only those of
        ``train_rows`` are read.
    train_rows : ndarray of shape (samples,)
        Forecast rows, for instance of :func:`refit_rows`.
    n_epochs : int
        From 1 to the spec's ``max_epochs``; 0 is a model with an offset as it starts.
    seed : int
        Of weights, batch order and dropout, in place of the spec's.
    execution : Execution, optional
        How to compute it; the whole batch at once in float32 if not given.

    Returns
    -------
    PatchTST
        In evaluation mode.

    Raises
    ------
    InputError
        If ``n_epochs`` is outside the schedule, or there are no rows.
    TrainingError
        If a loss or a weight is not finite, or memory runs out with one window at a time.
    """
    most, least = spec.training.max_epochs, 1 if spec.training.offset == NONE else spec.training.first_epoch
    if not least <= n_epochs <= most:
        raise InputError(f"n_epochs of a refit must be from {least} to the spec's max_epochs, {most}, got {n_epochs}")
    if not len(train_rows):
        raise InputError("a refit must have rows to train on, got none; take a longer series or a shorter context")
    seeded, on_rows = replace(spec, seed=seed), replace(windows, train_rows=train_rows)
    model = build_model(seeded, on_rows)
    Trainer(seeded, on_rows, model, execution).train_epochs(n_epochs)
    _require_finite_weights(model, n_epochs)
    return model.eval()


def _require_finite_weights(model: PatchTST, n_epochs: int) -> None:
    """Refuse what the last step broke: no loss is taken after it."""
    broken = [name for name, weight in model.named_parameters() if not weight.isfinite().all()]
    if broken:
        raise TrainingError(
            f"weights must be finite after {n_epochs} epochs, got others in {broken[0]}; lower learning_rate"
        )


def refit_rows(windows: Windows, spec: Spec, datasets: Sequence[DatasetVersion]) -> Index:
    """Rows of a registered model: training and validation with the gap between them, their labels end before the test.

    Parameters
    ----------
    windows, datasets
        As in :func:`rows_between`.
    spec : Spec
        Whose split and horizon count.
    """
    first, last = spec.split.train_start, spec.split.validation_end
    return rows_between(windows, datasets, horizon=spec.target.horizon, first=first, last=last)


def rows_between(
    windows: Windows, datasets: Sequence[DatasetVersion], *, horizon: int, first: date, last: date
) -> Index:
    """Rows of every ticker between two days, both inclusive, with a whole context behind and a label that ends there.

    Parameters
    ----------
    windows : Windows
        Their labels decide which days are labelled.
    datasets : sequence of DatasetVersion
        The forecast ticker's, then those that are trained on beside it, as the windows were made of them.
    horizon : int
        Sessions that a label reaches ahead.
    first, last : date
        Days of the first forecast and of the end of the last label.
    """
    found, start = [], 0
    for each in datasets:
        stop = start + len(each.dates)
        labels = windows.y_host_D[start:stop].astype(np.float64)
        rows = labelled_rows(each.dates, labels, first, last, horizon)
        found.append(start + rows[rows >= windows.context_length - 1])
        start = stop
    assert start == len(windows.y_host_D), "windows were made of other datasets"
    return np.concatenate(found)
