from __future__ import annotations

import json
import multiprocessing
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from pipeline.bars import content_hash
from pipeline.exceptions import DataError
from pipeline.snapshots.snapshot import (
    Snapshot,
    latest_snapshots,
    list_snapshots,
    load_snapshot,
    origin_of,
    save_snapshot,
    snapshot_path,
    write_atomically,
)
from pipeline.sources import Download


@pytest.mark.lesson("L13")
def test_a_snapshot_is_named_by_its_content(tmp_path, save, bars):
    snapshot = save(bars)
    assert snapshot.digest == content_hash(bars)
    pd.testing.assert_frame_equal(load_snapshot(tmp_path, snapshot), bars, check_freq=False)
    assert (snapshot.first, snapshot.last, snapshot.rows) == ("2015-01-02", str(bars.index[-1].date()), len(bars))


@pytest.mark.lesson("L13")
def test_other_content_never_touches_what_is_stored(tmp_path, save, bars):
    first = save(bars)
    stored = snapshot_path(tmp_path, "SPY", first.digest).read_bytes()
    second = save(bars.assign(adj_close=bars["adj_close"] * 0.99))
    assert second.digest != first.digest
    assert snapshot_path(tmp_path, "SPY", first.digest).read_bytes() == stored


def test_the_same_content_is_stored_once(tmp_path, save, bars):
    assert save(bars) == save(bars)
    assert len(list(list_snapshots(tmp_path))) == 1


def test_the_price_basis_of_the_same_bars_can_not_be_said_otherwise(save, bars):
    save(bars, adjusted=False)
    with pytest.raises(DataError, match="adjusted=False"):
        save(bars, adjusted=True)


@pytest.mark.lesson("L13")
def test_a_changed_file_is_refused(tmp_path, save, bars):
    snapshot = save(bars)
    changed = bars.copy()
    changed.iloc[5, 0] *= 1.0026
    changed.to_parquet(snapshot_path(tmp_path, "SPY", snapshot.digest))
    with pytest.raises(DataError, match="was changed since it was written"):
        load_snapshot(tmp_path, snapshot)


@pytest.mark.parametrize("damage", [b"", b"PAR1 broken"])
def test_an_unreadable_file_is_refused(tmp_path, save, bars, damage):
    snapshot = save(bars)
    snapshot_path(tmp_path, "SPY", snapshot.digest).write_bytes(damage)
    with pytest.raises(DataError, match="can't be read"):
        load_snapshot(tmp_path, snapshot)


def test_an_absent_file_is_named(tmp_path, save, bars):
    snapshot = save(bars)
    snapshot_path(tmp_path, "SPY", snapshot.digest).unlink()
    with pytest.raises(DataError, match="is gone"):
        load_snapshot(tmp_path, snapshot)


def test_unreadable_metadata_is_refused(tmp_path, save, bars):
    snapshot = save(bars)
    snapshot_path(tmp_path, "SPY", snapshot.digest).with_suffix(".json").write_text("{}")
    with pytest.raises(DataError, match="metadata"):
        list(list_snapshots(tmp_path))


def test_an_empty_download_is_refused(save, bars):
    with pytest.raises(DataError, match="at least one session"):
        save(bars.iloc[:0])


def test_the_newest_snapshot_of_each_ticker_is_found(tmp_path, save, bars):
    save(bars)
    newer = save(bars.iloc[:-1])
    metadata = snapshot_path(tmp_path, "SPY", newer.digest).with_suffix(".json")
    metadata.write_text(json.dumps({**json.loads(metadata.read_text()), "retrieved_at": "2999-01-01T00:00:00+00:00"}))
    other = save(bars.iloc[:-2], "^VIX", source="yahoo")
    found = latest_snapshots(tmp_path)
    assert found["SPY"].digest == newer.digest
    assert found["^VIX"] == other
    assert set(latest_snapshots(tmp_path, "yahoo")) == {"^VIX"}


def test_a_write_that_fails_leaves_nothing(tmp_path):
    def fail(part: Path) -> None:
        part.write_text("half")
        raise RuntimeError("disk full")

    with pytest.raises(RuntimeError):
        write_atomically(tmp_path / "sub" / "file", fail)
    assert not list((tmp_path / "sub").iterdir())


def _pull(root: Path, bars: pd.DataFrame, barrier: multiprocessing.synchronize.Barrier) -> None:
    barrier.wait()
    save_snapshot(root, "csv", Download(ticker="SPY", bars=bars, adjusted=False, library="test 1.0"))


@pytest.mark.lesson("L13")
def test_two_processes_at_once_leave_one_good_snapshot(tmp_path, bars):
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(2)
    processes = [context.Process(target=_pull, args=(tmp_path, bars, barrier)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    snapshots: list[Snapshot] = list(list_snapshots(tmp_path))
    assert len(snapshots) == 1
    pd.testing.assert_frame_equal(load_snapshot(tmp_path, snapshots[0]), bars, check_freq=False)
    assert sorted(path.suffix for path in (tmp_path / "snapshots" / "SPY").iterdir()) == [".json", ".parquet"]


def test_what_was_taken_from_a_file_is_kept_and_names_nothing(tmp_path, bars):
    told = Download(
        ticker="SPY", bars=bars, adjusted=False, library="t 1", reading="dates dd/mm/yyyy", warnings=("one row",)
    )
    snapshot = save_snapshot(tmp_path, "csv", told)
    (stored,) = list_snapshots(tmp_path)
    assert (stored.reading, stored.warnings) == ("dates dd/mm/yyyy", ("one row",))
    assert snapshot.digest == content_hash(bars)
    save_snapshot(tmp_path, "csv", replace(told, reading="dates yyyy-mm-dd", warnings=()))
    (stored,) = list_snapshots(tmp_path)
    assert (stored.reading, stored.warnings) == ("dates yyyy-mm-dd", ())


@pytest.mark.lesson("L39")
def test_an_origin_beside_the_data_is_found_where_both_are_moved(tmp_path, bars):
    (tmp_path / "project" / "bars").mkdir(parents=True)
    for origin, moved in (("project/bars", "moved/bars"), ("elsewhere", "elsewhere")):
        root = tmp_path / "project" / "data"
        asked = f"csv:{tmp_path / origin}?adjusted=no&dates=dmy"
        told = Download(ticker="SPY", bars=bars, adjusted=False, library="t 1", origin=asked)
        snapshot = save_snapshot(root, "csv", told)
        assert origin_of(root, snapshot) == asked
        there = origin_of(tmp_path / "moved" / "data", snapshot)
        assert there == f"csv:{tmp_path / moved}?adjusted=no&dates=dmy"


def test_a_snapshot_of_before_has_neither(tmp_path, save, bars):
    snapshot = save(bars)
    metadata = snapshot_path(tmp_path, "SPY", snapshot.digest).with_suffix(".json")
    older = json.loads(metadata.read_text(encoding="utf-8"))
    for name in ("last_retrieved_at", "reading", "warnings", "origin"):
        del older[name]
    metadata.write_text(json.dumps(older), encoding="utf-8")
    (stored,) = list_snapshots(tmp_path)
    assert stored == snapshot and origin_of(tmp_path, stored) == "csv" and stored.warnings == ()
