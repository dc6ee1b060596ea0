from __future__ import annotations

import numpy as np
import pytest

from pipeline.bars import COLUMNS, adjusted
from pipeline.datasets.build import build_dataset
from pipeline.datasets.dataset import load_dataset
from pipeline.datasets.raw_bars import check_raw_bars, raw_bars, raw_features
from pipeline.exceptions import DataError, InputError
from pipeline.snapshots.snapshot import load_snapshot, save_snapshot
from pipeline.sources import Download
from pipeline.splits.target import Target
from pipeline.tiers import TIERS, auxiliary_tickers, find_tier, tier_lookback


@pytest.mark.parametrize("tier", TIERS)
def test_a_version_holds_bars_then_features(tmp_path, save, bars, vix, tier):
    dataset = build_dataset(tmp_path, save(bars), tier, auxiliary=[save(vix, "^VIX")])
    assert tuple(dataset.frame.columns) == (*COLUMNS, *(feature.name for feature in find_tier(tier)))
    assert len(dataset.frame) == len(bars) - tier_lookback(tier)
    assert dataset.dates.is_monotonic_increasing
    assert np.isfinite(dataset.feature_matrix).all() and dataset.feature_matrix.dtype == np.float32
    assert set(dataset.snapshots) == {"SPY", *auxiliary_tickers(tier)}


def test_building_again_gives_the_same_version(tmp_path, save, bars):
    snapshot = save(bars)
    assert build_dataset(tmp_path, snapshot, "r25").digest == build_dataset(tmp_path, snapshot, "r25").digest
    assert len(list((tmp_path / "datasets").iterdir())) == 1


def test_identity_follows_snapshots_tier_and_code(tmp_path, save, bars, vix, monkeypatch):
    spy, volatility = save(bars), save(vix, "^VIX")
    other = vix.copy()
    other.iloc[0, other.columns.get_loc("volume")] = (
        1.0  # no feature reads it; the snapshot is another one all the same
    )
    digests = [
        build_dataset(tmp_path, spy, "r25").digest,
        build_dataset(tmp_path, spy, "r33", auxiliary=[volatility]).digest,
        build_dataset(tmp_path, spy, "r33", auxiliary=[save(other, "^VIX")]).digest,
    ]
    monkeypatch.setattr("pipeline.datasets.build.tier_code_version", lambda tier: "another")
    digests.append(build_dataset(tmp_path, spy, "r25").digest)
    assert len(set(digests)) == len(digests)


def test_snapshots_that_a_tier_does_not_read_are_left_out(tmp_path, save, bars, vix):
    alone = build_dataset(tmp_path, save(bars), "r25")
    assert build_dataset(tmp_path, save(bars), "r25", auxiliary=[save(vix, "^VIX")]).digest == alone.digest


@pytest.mark.lesson("L14")
def test_a_missing_or_stale_ticker_is_named(tmp_path, save, bars, vix):
    with pytest.raises(DataError, match=r"tier r33 reads \^VIX beside SPY, got no snapshot of \^VIX"):
        build_dataset(tmp_path, save(bars), "r33")
    with pytest.raises(DataError, match=r"\^VIX must reach SPY's last session"):
        build_dataset(tmp_path, save(bars), "r33", auxiliary=[save(vix.iloc[:-1], "^VIX")])
    assert not list((tmp_path / "datasets").glob("*"))


@pytest.mark.lesson("L15")
@pytest.mark.parametrize("tier", TIERS)
def test_labels_come_from_prices_whatever_the_features(tmp_path, save, bars, vix, tier):
    snapshot = save(bars.assign(adj_close=bars["close"] * 0.9))
    dataset = build_dataset(tmp_path, snapshot, tier, auxiliary=[save(vix, "^VIX")])
    target = Target(horizon=3)
    raw = target.labels(adjusted(load_snapshot(tmp_path, snapshot)))[tier_lookback(tier) :]
    np.testing.assert_array_equal(target.labels(dataset.frame), raw)
    assert 0.05 < np.nanmean(raw) < 0.95


@pytest.mark.lesson("L16")
def test_an_error_refuses_the_build_and_a_warning_is_listed(tmp_path, save, bars):
    with pytest.raises(DataError, match="SPY: missing_sessions"):
        build_dataset(tmp_path, save(bars.drop(bars.index[400])), "r25")
    quiet = bars.copy()
    quiet.iloc[400, quiet.columns.get_loc("volume")] = 0.0
    dataset = build_dataset(tmp_path, save(quiet), "r25")
    assert len(dataset.warnings) == 1 and dataset.warnings[0].startswith("SPY: zero_volume")
    assert load_dataset(tmp_path, dataset.digest).warnings == dataset.warnings


def test_an_unknown_tier_is_named(tmp_path, save, bars):
    with pytest.raises(InputError, match="got 'r99'"):
        build_dataset(tmp_path, save(bars), "r99")


@pytest.mark.lesson("L49")
def test_a_split_of_shares_gives_the_labels_and_features_of_prices_without_it(tmp_path, save, bars):
    whole = build_dataset(tmp_path, save(bars), "r25")
    row, ratio = 450, 4.0
    raw = bars.copy()
    raw.iloc[:row, :4] *= ratio
    raw.iloc[:row, 5] /= ratio
    split = build_dataset(tmp_path, save(raw), "r25")
    target = Target(horizon=5)
    np.testing.assert_array_equal(target.labels(split.frame), target.labels(whole.frame))
    np.testing.assert_allclose(split.feature_matrix, whole.feature_matrix, rtol=1e-4, atol=1e-5)
    assert [warning for warning in split.warnings if "share_splits" in warning] == [
        f"SPY: share_splits: split of 4 for 1 on {bars.index[row].date()}; the bars before it are put on the basis of "
        "the shares after it"
    ]
    frame = raw_bars(tmp_path, split)
    features = raw_features(*check_raw_bars(frame, ticker="SPY", tier="r25"), "r25", "SPY")
    np.testing.assert_array_equal(features[-len(split.frame) :], split.feature_matrix)


def test_what_was_accepted_is_kept_on_the_version_and_names_nothing(tmp_path, save, bars):
    snapshot = save(bars.drop(bars.index[400]))
    name = f"missing_sessions:{bars.index[400].date()}"
    dataset = build_dataset(tmp_path, snapshot, "r25", accepted=[name])
    assert dataset.accepted == (name,) and f"SPY: {name} was found and accepted" in dataset.warnings
    stored = load_dataset(tmp_path, dataset.digest)
    assert stored.accepted == (name,) and stored.digest == dataset.digest
    frame = raw_bars(tmp_path, stored)
    with pytest.raises(DataError, match="must have a bar"):
        check_raw_bars(frame, ticker="SPY", tier="r25")
    check_raw_bars(frame, ticker="SPY", tier="r25", accepted=stored.accepted)


def test_what_was_left_out_of_a_file_is_a_warning_of_the_version(tmp_path, bars):
    told = Download(ticker="SPY", bars=bars, adjusted=False, library="t 1", warnings=("empty_rows: 2",))
    assert build_dataset(tmp_path, save_snapshot(tmp_path, "csv", told), "r25").warnings == ("SPY: empty_rows: 2",)
