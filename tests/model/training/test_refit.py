from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest
import torch

from model.network.patchtst import PatchTST
from model.spec.spec import Spec
from model.training.refit import refit, refit_rows, rows_between
from model.training.trainer import Trainer, build_model
from model.windows import Windows, make_windows
from pipeline.datasets.dataset import DatasetVersion
from pipeline.exceptions import InputError, TrainingError

Change = Callable[..., Spec]


def _same(one: PatchTST, other: PatchTST) -> bool:
    a, b = one.state_dict(), other.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def _relabelled(windows: Windows, rows: np.ndarray) -> Windows:
    """Windows with the labels of these rows turned around."""
    y_host_D = windows.y_host_D.copy()
    y_host_D[rows] = 1 - y_host_D[rows]
    return replace(windows, y_host_D=y_host_D, y_D=torch.from_numpy(y_host_D))


@pytest.mark.slow
@pytest.mark.lesson("L21")
@pytest.mark.parametrize(
    "leaves",
    [
        {"learning_rate": 1e-2},
        {"learning_rate": 3e-3, "batch_size": 100, "seed": 7, "attention_dropout": 0.1, "label_smoothing": 0.1},
        {"offset": "logistic", "instance_norm": "revin"},
        {"offset": "boosting"},
    ],
)
def test_a_refit_on_the_trial_s_rows_is_the_trial_s_best_epoch_bit_for_bit(
    spec: Spec, change: Change, windows: Windows, leaves: dict[str, object]
) -> None:
    chosen = change(spec, max_epochs=6, patience=2, **leaves)
    model = build_model(chosen, windows)
    trainer = Trainer(chosen, windows, model)
    list(trainer.epochs())
    torch.manual_seed(99)
    again = refit(chosen, windows, windows.train_rows, n_epochs=trainer.best_epoch, seed=chosen.seed)
    assert _same(again, model) and not again.training
    if trainer.best_epoch > 1:
        assert not _same(refit(chosen, windows, windows.train_rows, n_epochs=1, seed=chosen.seed), model)


def test_pooled_tickers_are_refitted_as_they_were_trained(
    spec: Spec, change: Change, dataset: DatasetVersion, other: DatasetVersion
) -> None:
    pooled = make_windows(dataset, spec.target, spec.split, spec.architecture.context_length, pooled=[other])
    model = build_model(spec, pooled)
    trainer = Trainer(spec, pooled, model)
    list(trainer.epochs())
    assert _same(refit(spec, pooled, pooled.train_rows, n_epochs=trainer.best_epoch, seed=spec.seed), model)


def test_another_seed_gives_other_weights_and_the_same_one_the_same(spec: Spec, windows: Windows) -> None:
    rows = windows.train_rows
    zero, again, one = (refit(spec, windows, rows, n_epochs=1, seed=seed) for seed in (0, 0, 1))
    assert _same(zero, again) and not _same(zero, one)
    assert _same(refit(replace(spec, seed=1), windows, rows, n_epochs=1, seed=0), zero)


@pytest.mark.slow
@pytest.mark.lesson("L22")
@pytest.mark.parametrize("offset", ["none", "logistic", "boosting"])
def test_labels_count_only_where_they_are_trained_on(
    spec: Spec, change: Change, windows: Windows, dataset: DatasetVersion, offset: str
) -> None:
    chosen = change(spec, offset=offset)
    changed = _relabelled(windows, windows.rows.validation)
    on_train, on_both = windows.train_rows, refit_rows(windows, chosen, [dataset])
    first = refit(chosen, windows, on_train, n_epochs=1, seed=0)
    assert _same(refit(chosen, changed, on_train, n_epochs=1, seed=0), first)
    both = refit(chosen, windows, on_both, n_epochs=1, seed=0)
    assert not _same(refit(chosen, changed, on_both, n_epochs=1, seed=0), both)
    beyond = _relabelled(windows, np.setdiff1d(np.arange(len(dataset.dates)), on_both))
    assert _same(refit(chosen, beyond, on_both, n_epochs=1, seed=0), both)


def test_statistics_are_of_exactly_these_rows(spec: Spec, windows: Windows, dataset: DatasetVersion) -> None:
    rows = refit_rows(windows, spec, [dataset])
    model = refit(spec, windows, rows, n_epochs=1, seed=0)
    days = dataset.feature_matrix[rows[0] - windows.context_length + 1 : rows[-1] + 1].astype(np.float64)
    np.testing.assert_allclose(model.feature_mean.numpy(), days.mean(0), rtol=1e-5)
    np.testing.assert_allclose(model.feature_std.numpy(), days.std(0, ddof=1), rtol=1e-5)


@pytest.mark.lesson("L22")
@pytest.mark.parametrize("horizon", [1, 5])
def test_refit_rows_hold_training_gap_and_validation_and_end_before_the_test(
    spec: Spec, change: Change, dataset: DatasetVersion, other: DatasetVersion, horizon: int
) -> None:
    chosen = change(spec, horizon=horizon)
    pooled = make_windows(dataset, chosen.target, chosen.split, 60, pooled=[other])
    rows = refit_rows(pooled, chosen, [dataset, other])
    own, others = rows[rows < len(dataset.dates)], rows[rows >= len(dataset.dates)] - len(dataset.dates)
    assert np.array_equal(own, np.arange(pooled.rows.train[0], pooled.rows.validation[-1] + 1))
    assert set(pooled.rows.train) | set(pooled.rows.validation) < set(own)
    test_start = pd.Timestamp(spec.split.test_start)
    for each, its_rows in ((dataset, own), (other, others)):
        assert each.dates[its_rows[-1] + horizon] < test_start <= each.dates[its_rows[-1] + horizon + 1]
        assert each.dates[its_rows[0]] >= pd.Timestamp(spec.split.train_start)


def test_rows_have_a_whole_context_in_every_ticker(spec: Spec, dataset: DatasetVersion, other: DatasetVersion) -> None:
    pooled = make_windows(dataset, spec.target, spec.split, 60, pooled=[other])
    rows = rows_between(pooled, [dataset, other], horizon=1, first=date(1900, 1, 1), last=date(2003, 12, 31))
    assert rows[0] == 59 and rows[rows >= len(dataset.dates)][0] == len(dataset.dates) + 59
    with pytest.raises(AssertionError, match="other datasets"):
        rows_between(pooled, [dataset], horizon=1, first=date(1900, 1, 1), last=date(2003, 12, 31))


@pytest.mark.parametrize("n_epochs", [0, 3, -1])
def test_epochs_outside_the_schedule_are_refused(spec: Spec, windows: Windows, n_epochs: int) -> None:
    with pytest.raises(InputError, match=f"from 1 to the spec's max_epochs, 2, got {n_epochs}"):
        refit(spec, windows, windows.train_rows, n_epochs=n_epochs, seed=0)


def test_no_rows_are_refused(spec: Spec, windows: Windows) -> None:
    with pytest.raises(InputError, match="rows to train on, got none"):
        refit(spec, windows, windows.train_rows[:0], n_epochs=1, seed=0)


@pytest.mark.lesson("L25")
@pytest.mark.parametrize("batch_size", [128, 100_000])
def test_what_is_not_finite_is_no_model(spec: Spec, change: Change, windows: Windows, batch_size: int) -> None:
    diverging = change(spec, learning_rate=3e38, weight_decay=1e30, warmup_fraction=0.0, batch_size=batch_size)
    with pytest.raises(TrainingError, match="must be finite"):
        refit(diverging, windows, windows.train_rows, n_epochs=1, seed=0)
