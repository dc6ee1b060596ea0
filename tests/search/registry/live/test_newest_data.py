import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from pipeline.exceptions import DataError, InputError
from search.registry.live.newest_data import newest_dataset

MODEL = "patchscale-^GSPC-h1"


@pytest.fixture
def planned(planned, tmp_path):
    """A data directory of the test's own."""
    plan, dataset, root = planned
    return plan, dataset, Path(shutil.copytree(root, tmp_path / "data"))


@pytest.fixture
def csv(planned, tmp_path):
    """A directory of bars that end later or earlier than the model's own."""
    bars = planned[1].frame[["open", "high", "low", "close", "volume"]]
    directory = tmp_path / "bars"
    directory.mkdir()

    def write(rows):
        bars.iloc[:rows].reset_index().to_csv(directory / "GSPC.csv", index=False)
        return f"csv:{directory}?adjusted=yes"

    return write


def test_the_models_own_source_is_asked(planned):
    plan, dataset, root = planned
    found = newest_dataset(root, plan.data, today=date(2019, 1, 1))
    assert found.dataset.digest == dataset.digest and found.remarks == ()


def test_stale_bars_are_said_to_be(planned):
    plan, _, root = planned
    (remark,) = newest_dataset(root, plan.data, today=date(2019, 1, 5)).remarks
    assert "the newest session here is 2018-12-31, the exchange has had 3 since, the last on 2019-01-04" in remark


def test_another_source_is_taken_where_one_is_named(planned, csv):
    plan, _, root = planned
    found = newest_dataset(root, plan.data, source=csv(4000), today=date(2015, 1, 1))
    assert found.remarks == ()
    assert found.dataset.source == "csv" and len(found.dataset.dates) < 4000


def test_a_source_that_fails_is_said_and_the_newest_snapshot_taken(planned, tmp_path):
    plan, dataset, root = planned
    (tmp_path / "empty").mkdir()
    found = newest_dataset(root, plan.data, source=f"csv:{tmp_path / 'empty'}?adjusted=yes", today=date(2019, 1, 1))
    assert found.dataset.digest == dataset.digest
    assert found.remarks[0].startswith("not refreshed: ticker must be one that source csv has")


def test_a_source_without_its_directory_is_said_and_not_an_error(planned):
    plan, _, root = planned
    data = replace(plan.data, source="csv")
    found = newest_dataset(root, data, today=date(2019, 1, 1))
    assert found.remarks[0].startswith("not refreshed: source csv must say its directory")
    assert found.remarks[1].startswith("the newest bars were refused (no snapshot of ^GSPC from source csv")


def test_bars_that_the_checks_refuse_are_not_forecast_from(planned, csv):
    plan, dataset, root = planned
    found = newest_dataset(root, plan.data, source=csv(30), today=date(2019, 1, 1))
    assert found.dataset.digest == dataset.digest
    assert "the newest bars were refused" in found.remarks[0]


def test_a_named_source_that_does_not_exist_is_an_error(planned):
    plan, _, root = planned
    with pytest.raises(InputError, match="source must be one of"):
        newest_dataset(root, plan.data, source="bloomberg")
    with pytest.raises(DataError, match="is not in"):
        newest_dataset(root, replace(plan.data, dataset="0" * 32, ticker="NONE"), offline=True)
