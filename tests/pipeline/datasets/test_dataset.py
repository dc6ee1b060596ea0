from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from pipeline.bars import COLUMNS, adjusted
from pipeline.datasets.dataset import METADATA_KEY, build_dataset, load_dataset
from pipeline.exceptions import DataError, InputError
from pipeline.snapshots.snapshot import load_snapshot
from pipeline.splits.target import Target
from pipeline.tiers import TIERS, find_tier, tier_lookback


@pytest.fixture
def built(tmp_path, save, bars, vix):
    return build_dataset(tmp_path, save(bars), "r33", auxiliary=[save(vix, "^VIX")])


@pytest.mark.parametrize("tier", TIERS)
def test_a_version_holds_bars_then_features(tmp_path, save, bars, vix, tier):
    dataset = build_dataset(tmp_path, save(bars), tier, auxiliary=[save(vix, "^VIX")])
    assert tuple(dataset.frame.columns) == (*COLUMNS, *(feature.name for feature in find_tier(tier)))
    assert len(dataset.frame) == len(bars) - tier_lookback(tier)
    assert dataset.dates.is_monotonic_increasing
    assert np.isfinite(dataset.feature_matrix).all() and dataset.feature_matrix.dtype == np.float32
    assert set(dataset.snapshots) == ({"SPY"} if tier in ("a25", "r25") else {"SPY", "^VIX"})


def test_it_comes_back_as_it_was_built(tmp_path, built):
    loaded = load_dataset(tmp_path, built.digest)
    pd.testing.assert_frame_equal(loaded.frame, built.frame, check_freq=False)
    assert replace(loaded, frame=built.frame) == replace(built, frame=built.frame)


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
    monkeypatch.setattr("pipeline.datasets.dataset.tier_code_version", lambda tier: "another")
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


@pytest.mark.lesson("L17")
@pytest.mark.parametrize("change", ["order", "name", "missing"])
def test_the_feature_list_is_checked_on_load(tmp_path, built, change):
    path = built.path(tmp_path)
    table = pq.read_table(path)
    names = list(table.column_names)
    first = names.index(built.features[0])
    if change == "order":
        names[first], names[first + 1] = names[first + 1], names[first]
        table = table.select(names).replace_schema_metadata(table.schema.metadata)
    elif change == "name":
        names[first] = "another"
        table = table.rename_columns(names)
    else:
        table = table.drop_columns([names[first]])
    pq.write_table(table, path)
    with pytest.raises(DataError):
        load_dataset(tmp_path, built.digest)


@pytest.mark.lesson("L17")
def test_a_feature_list_that_was_edited_is_refused(tmp_path, built):
    path = built.path(tmp_path)
    table = pq.read_table(path)
    declared = json.loads(table.schema.metadata[METADATA_KEY])
    declared["features"] = [*declared["features"][1:], declared["features"][0]]
    metadata = {**table.schema.metadata, METADATA_KEY: json.dumps(declared).encode()}
    pq.write_table(table.replace_schema_metadata(metadata), path)
    with pytest.raises(DataError, match="must hold the features it lists"):
        load_dataset(tmp_path, built.digest)


def test_a_changed_value_is_refused(tmp_path, built):
    path = built.path(tmp_path)
    table = pq.read_table(path)
    frame = table.to_pandas()
    frame.iloc[3, 10] += 1e-9
    pq.write_table(type(table).from_pandas(frame).replace_schema_metadata(table.schema.metadata), path)
    with pytest.raises(DataError, match="was changed since it was written"):
        load_dataset(tmp_path, built.digest)


@pytest.mark.parametrize("damage", [b"", b"PAR1 broken"])
def test_an_unreadable_file_is_refused(tmp_path, built, damage):
    built.path(tmp_path).write_bytes(damage)
    with pytest.raises(DataError, match="can't be read"):
        load_dataset(tmp_path, built.digest)


def test_an_unknown_version_or_tier_is_named(tmp_path, save, bars):
    with pytest.raises(DataError, match="dataset version abc is not in"):
        load_dataset(tmp_path, "abc")
    with pytest.raises(InputError, match="got 'r99'"):
        build_dataset(tmp_path, save(bars), "r99")
