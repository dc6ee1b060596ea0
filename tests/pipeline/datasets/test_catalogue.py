from __future__ import annotations

import pytest

from pipeline.datasets.build import build_dataset
from pipeline.datasets.catalogue import describe, differences, find_version, list_datasets
from pipeline.exceptions import DataError


@pytest.fixture
def versions(tmp_path, save, bars, vix):
    spy, volatility = save(bars), save(vix, "^VIX")
    return [build_dataset(tmp_path, spy, tier, auxiliary=[volatility]) for tier in ("r25", "r33")]


def test_a_list_says_what_a_version_is_without_its_rows(tmp_path, versions):
    entries = list_datasets(tmp_path)
    assert [(entry.digest, entry.tier) for entry in entries] == [(each.digest, each.tier) for each in versions]
    assert entries[1].features == versions[1].features
    assert entries[1].snapshots == versions[1].snapshots
    assert entries[1].rows == len(versions[1].frame)


def test_nothing_stored_is_an_empty_list(tmp_path):
    assert list_datasets(tmp_path) == []


def test_a_version_is_found_by_its_first_digits(tmp_path, versions):
    assert find_version(tmp_path, versions[0].digest[:8]).digest == versions[0].digest
    assert find_version(tmp_path, versions[0].snapshots["SPY"][:8]).ticker == "SPY"


@pytest.mark.parametrize("prefix", ["", "abc", "zzzz"])
def test_too_few_or_wrong_digits_are_refused(tmp_path, versions, prefix):
    with pytest.raises(DataError, match="a version must"):
        find_version(tmp_path, prefix)


def test_a_description_proves_the_content(tmp_path, versions):
    entry = find_version(tmp_path, versions[1].digest)
    described = dict(describe(tmp_path, entry))
    assert described["snapshot of ^VIX"] == versions[1].snapshots["^VIX"]
    assert "vix_close" in described["33 features"]
    versions[1].path(tmp_path).write_bytes(versions[0].path(tmp_path).read_bytes())
    with pytest.raises(DataError, match="was changed"):
        describe(tmp_path, entry)


def test_a_snapshot_is_described_too(tmp_path, versions):
    described = dict(describe(tmp_path, find_version(tmp_path, versions[0].snapshots["SPY"])))
    assert described["span"].startswith("2015-01-02 to ")


def test_tiers_differ_by_their_features(tmp_path, versions):
    lines = differences(tmp_path, *(find_version(tmp_path, each.digest) for each in versions))
    assert "tier: r25 -> r33" in lines
    assert "feature vix_close: only in the second" in lines
    assert not any("differ" in line for line in lines)


def test_a_restated_snapshot_shows_in_the_values(tmp_path, save, bars):
    changed = bars.copy()
    changed.iloc[-1, changed.columns.get_loc("volume")] *= 2
    entries = [find_version(tmp_path, build_dataset(tmp_path, save(each), "r25").digest) for each in (bars, changed)]
    lines = differences(tmp_path, *entries)
    assert lines[0].startswith("snapshot of SPY: ")
    assert any(line.startswith("volume: 1 of 501 common days differ") for line in lines)
    assert not any(line.startswith("close:") for line in lines)


def test_a_version_does_not_differ_from_itself(tmp_path, versions):
    entry = find_version(tmp_path, versions[0].digest)
    assert differences(tmp_path, entry, entry) == []


def test_snapshots_are_compared_as_a_refresh(tmp_path, save, bars):
    pair = [find_version(tmp_path, save(each).digest) for each in (bars.iloc[:-3], bars)]
    lines = differences(tmp_path, *pair)
    assert any(line.startswith("unchanged: 697 sessions compared, 3 new") for line in lines)


def test_unlike_kinds_are_refused(tmp_path, versions):
    dataset = find_version(tmp_path, versions[0].digest)
    snapshot = find_version(tmp_path, versions[0].snapshots["SPY"])
    with pytest.raises(DataError, match="of one kind"):
        differences(tmp_path, dataset, snapshot)


def test_a_foreign_file_is_named(tmp_path, versions):
    (tmp_path / "datasets" / "foreign.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match=r"foreign\.parquet can't be read"):
        list_datasets(tmp_path)
