from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date

import numpy as np
import pytest
import torch

from model.spec.spec import Spec
from model.training.trainer import Trainer, build_model, predict_rows
from model.windows import Windows, make_windows, to_tensor
from pipeline.datasets.dataset import DatasetVersion
from pipeline.exceptions import InputError, SealedError

Change = Callable[..., Spec]
WindowsOf = Callable[..., Windows]


def _with_features(dataset: DatasetVersion, rows: slice, value: float) -> DatasetVersion:
    frame = dataset.frame.copy()
    frame.iloc[rows, frame.columns.get_indexer(list(dataset.features))] = value
    return replace(dataset, frame=frame)


@pytest.mark.lesson("L12")
@pytest.mark.parametrize("context_length", [20, 60])
def test_a_window_ends_on_its_forecast_day(
    spec: Spec, change: Change, windows_of: WindowsOf, dataset: DatasetVersion, context_length: int
) -> None:
    windows = windows_of(change(spec, context_length=context_length))
    for part in (windows.rows.train, windows.rows.validation, windows.rows.test):
        rows = part[[0, 1, -1]]
        x_BTF, y_B = windows.batch(to_tensor(rows, "cpu"))
        assert x_BTF.shape == (3, context_length, len(dataset.features))
        for i, row in enumerate(rows):
            expected = dataset.feature_matrix[row - context_length + 1 : row + 1]
            assert np.array_equal(x_BTF[i].numpy(), expected)
            assert torch.equal(y_B[i], windows.y_D[row]) or (part is windows.rows.test and y_B[i].isnan())


def test_windows_are_views_of_one_tensor(windows: Windows, dataset: DatasetVersion) -> None:
    assert windows.x_NTF.untyped_storage().nbytes() == dataset.feature_matrix.nbytes


@pytest.mark.lesson("L7")
@pytest.mark.parametrize("horizon", [1, 2, 3, 5])
def test_labels_and_purge_follow_the_horizon_of_the_target(
    spec: Spec, change: Change, windows_of: WindowsOf, dataset: DatasetVersion, horizon: int
) -> None:
    windows = windows_of(change(spec, horizon=horizon))
    high, close, dates = dataset.frame["high"].to_numpy(), dataset.frame["close"].to_numpy(), dataset.dates
    for part, end in ((windows.rows.train, spec.split.train_end), (windows.rows.validation, spec.split.validation_end)):
        expected = [float(high[t + 1 : t + 1 + horizon].max() >= close[t] * 1.01) for t in part]
        assert windows.y_D[to_tensor(part, "cpu")].tolist() == expected
        assert dates[part[-1] + horizon].date() <= end < dates[part[-1] + horizon + 1].date()


@pytest.mark.lesson("L7")
def test_the_base_rate_grows_with_the_horizon(spec: Spec, change: Change, windows_of: WindowsOf) -> None:
    rates = []
    for horizon in (1, 2, 3, 5):
        windows = windows_of(change(spec, horizon=horizon))
        rates.append(float(windows.y_D[to_tensor(windows.rows.train, "cpu")].mean()))
    assert rates == sorted(set(rates))


@pytest.mark.lesson("L19")
@pytest.mark.parametrize("horizon", [1, 5])
def test_evaluated_dates_do_not_depend_on_the_context(
    spec: Spec, change: Change, windows_of: WindowsOf, dataset: DatasetVersion, horizon: int
) -> None:
    base = change(spec, horizon=horizon)
    short, *longer = (windows_of(change(base, context_length=length)) for length in (20, 60, 100))
    start, end = np.datetime64(spec.split.validation_start), np.datetime64(spec.split.validation_end)
    session = dataset.dates.to_numpy()
    inside = np.flatnonzero((session >= start) & (session <= end))
    assert np.array_equal(short.rows.validation, inside[: len(inside) - horizon])
    for windows in longer:
        assert np.array_equal(windows.rows.validation, short.rows.validation)
        assert np.array_equal(windows.rows.test, short.rows.test)


def test_only_the_start_of_training_waits_for_a_context(
    spec: Spec, change: Change, windows_of: WindowsOf, dataset: DatasetVersion
) -> None:
    early = change(spec, train_start=dataset.dates[0].date())
    for length in (20, 100):
        windows = windows_of(change(early, context_length=length))
        assert windows.rows.train[0] == length - 1
        assert windows.batch(to_tensor(windows.rows.train[:1], "cpu"))[0].shape[1] == length


@pytest.mark.lesson("L12")
def test_predictions_know_nothing_of_later_rows(
    spec: Spec, windows_of: WindowsOf, windows: Windows, dataset: DatasetVersion
) -> None:
    model = build_model(spec, windows)
    row = int(windows.rows.validation[100])
    upto, on = windows.rows.validation[:101], windows.rows.validation[100:101]
    before = predict_rows(model, windows, upto)
    assert np.array_equal(
        predict_rows(model, windows_of(spec, _with_features(dataset, slice(row + 1, None), 9.0)), upto), before
    )
    newest = predict_rows(model, windows_of(spec, _with_features(dataset, slice(row, row + 1), 9.0)), on)
    assert newest[0] != before[-1]
    oldest = slice(row - spec.architecture.context_length, row - spec.architecture.context_length + 1)
    assert predict_rows(model, windows_of(spec, _with_features(dataset, oldest, 9.0)), on)[0] == pytest.approx(
        before[-1], abs=1e-9
    )


@pytest.mark.lesson("L15")
def test_labels_come_from_prices_whatever_the_features_are(
    spec: Spec, windows_of: WindowsOf, windows: Windows, dataset: DatasetVersion
) -> None:
    other = windows_of(spec, _with_features(dataset, slice(None), 0.0))
    assert torch.equal(other.y_D.nan_to_num(-1), windows.y_D.nan_to_num(-1))


def test_training_days_are_those_that_training_windows_see(
    windows: Windows, spec: Spec, dataset: DatasetVersion
) -> None:
    first, last = int(windows.rows.train[0]), int(windows.rows.train[-1])
    expected = dataset.feature_matrix[first - spec.architecture.context_length + 1 : last + 1]
    assert np.array_equal(windows.training_days().numpy(), expected)


def test_statistics_come_from_training_days_only(
    spec: Spec, windows_of: WindowsOf, windows: Windows, dataset: DatasetVersion
) -> None:
    model = build_model(spec, windows)
    last = int(windows.rows.train[-1])
    unseen = build_model(spec, windows_of(spec, _with_features(dataset, slice(last + 1, None), 99.0)))
    assert torch.equal(unseen.feature_mean, model.feature_mean)
    assert torch.equal(unseen.feature_std, model.feature_std)
    seen = build_model(spec, windows_of(spec, _with_features(dataset, slice(last, last + 1), 99.0)))
    assert (seen.feature_mean != model.feature_mean).all()
    days = windows.training_days().double().numpy()
    assert model.feature_mean.numpy() == pytest.approx(days.mean(0), rel=1e-5)
    assert model.feature_std.numpy() == pytest.approx(days.std(0, ddof=1), rel=1e-5)


@pytest.mark.lesson("L18")
def test_too_few_validation_days_are_refused(spec: Spec, change: Change, windows_of: WindowsOf) -> None:
    with pytest.raises(InputError, match="validation must have at least 200 days, got 19 "):
        windows_of(change(spec, validation_end=date(2013, 1, 30)))


def test_a_context_longer_than_training_is_refused(spec: Spec, windows_of: WindowsOf) -> None:
    architecture = replace(spec.architecture, context_length=4000, patch_length=500, stride=500)
    with pytest.raises(InputError, match="training must have at least one whole context"):
        windows_of(replace(spec, architecture=architecture, budget="100K", tolerance=0.9))


def test_pooled_training_rows_are_each_ticker_s_own_and_the_evaluated_days_stay(
    spec: Spec, windows: Windows, dataset: DatasetVersion, other: DatasetVersion
) -> None:
    length = spec.architecture.context_length
    pooled = make_windows(dataset, spec.target, spec.split, length, pooled=[other])
    alone = make_windows(other, spec.target, spec.split, length)
    n = len(dataset.dates)
    assert np.array_equal(pooled.train_rows, np.concatenate([windows.rows.train, n + alone.rows.train]))
    assert np.array_equal(pooled.rows.validation, windows.rows.validation)
    for mine, theirs in ((pooled.rows.train, windows.rows.train), (n + alone.rows.train, alone.rows.train)):
        reference = windows if mine is pooled.rows.train else alone
        for got, expected in zip(
            pooled.batch(to_tensor(mine, "cpu")), reference.batch(to_tensor(theirs, "cpu")), strict=True
        ):
            assert torch.equal(got, expected)
    assert np.array_equal(pooled.dates_D[n + alone.rows.train], other.dates[alone.rows.train].to_numpy())


@pytest.mark.lesson("L22")
def test_no_pooled_label_ends_after_training(spec: Spec, dataset: DatasetVersion, other: DatasetVersion) -> None:
    target = replace(spec.target, horizon=5)
    pooled = make_windows(dataset, target, spec.split, spec.architecture.context_length, pooled=[other])
    ends = pooled.dates_D[pooled.train_rows + 5]
    assert ends.max() <= np.datetime64(spec.split.train_end)
    assert pooled.dates_D[pooled.train_rows].min() >= np.datetime64(spec.split.train_start)


def test_statistics_of_a_pool_are_of_the_days_that_its_training_windows_see(
    spec: Spec, dataset: DatasetVersion, other: DatasetVersion
) -> None:
    length = spec.architecture.context_length
    pooled = make_windows(dataset, spec.target, spec.split, length, pooled=[other])
    parts = [make_windows(each, spec.target, spec.split, length).training_days() for each in (dataset, other)]
    assert torch.equal(pooled.training_days(), torch.cat(parts))


def test_pooled_datasets_of_another_tier_are_refused(
    spec: Spec, dataset: DatasetVersion, other: DatasetVersion
) -> None:
    raw = replace(other, features=other.features[:-1])
    with pytest.raises(InputError, match="same features"):
        make_windows(dataset, spec.target, spec.split, spec.architecture.context_length, pooled=[raw])


def test_days_are_numbered_over_all_tickers(spec: Spec, dataset: DatasetVersion, other: DatasetVersion) -> None:
    pooled = make_windows(dataset, spec.target, spec.split, spec.architecture.context_length, pooled=[other])
    days = pooled.day_numbers(pooled.train_rows)
    dates = pooled.dates_D[pooled.train_rows]
    assert days.min() == 0 and np.array_equal(np.sort(np.unique(dates))[days], dates)


@pytest.mark.lesson("L22")
@pytest.mark.parametrize("part", ["train", "validation"])
def test_nothing_is_trained_or_tuned_on_test_days(spec: Spec, windows: Windows, part: str) -> None:
    test = windows.rows.test
    wrong = (
        replace(windows, train_rows=np.append(windows.train_rows, test[0]))
        if part == "train"
        else replace(windows, rows=replace(windows.rows, validation=test))
    )
    with pytest.raises(SealedError, match="are the sealed test split's"):
        Trainer(spec, wrong, build_model(spec, windows))


def test_the_same_rows_are_seen_through_shorter_windows(
    spec: Spec, change: Change, windows_of: WindowsOf, dataset: DatasetVersion
) -> None:
    long, short = (windows_of(change(spec, context_length=length)) for length in (60, 20))
    seen, rows = long.of_length(20), to_tensor(long.train_rows[:3], "cpu")
    assert torch.equal(seen.batch(rows)[0], short.batch(rows)[0]) and seen.train_rows is long.train_rows
    assert seen.x_NTF.untyped_storage().data_ptr() == long.x_DF.untyped_storage().data_ptr()
    assert long.of_length(60) is long
    with pytest.raises(AssertionError, match="so long a context"):
        long.of_length(61)
