import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from pipeline.exceptions import DataError, InputError
from search.registry.live.newest_data import newest_dataset
from search.study.make_plan import make_plan
from tests.search.conftest import REQUEST

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


@pytest.mark.slow
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


def test_a_study_of_files_knows_its_directory_and_settings(planned, csv):
    """Nobody has to say again where the files are; where they are gone, it is said and what is stored is taken."""
    _, _, root = planned
    source = csv(4200) + "&dates=ymd"
    request = replace(REQUEST, source=source, ticker="^GSPC", split="2008-12-31/2010-12-31/2012-12-31")
    plan, _ = make_plan(request, root=root)
    csv(4300)
    found = newest_dataset(root, plan.data, today=date(2016, 1, 1))
    assert not any("not refreshed" in remark for remark in found.remarks)
    assert found.dataset.dates[-1] > pd.Timestamp("2015-09-01")
    shutil.rmtree(source.removeprefix("csv:").rpartition("?")[0])
    again = newest_dataset(root, plan.data, today=date(2016, 1, 1))
    assert "not refreshed: source csv needs a directory that exists" in again.remarks[0]
    assert again.dataset.digest == found.dataset.digest


@pytest.mark.slow
def test_what_was_accepted_of_the_models_data_is_accepted_of_the_newest(planned, csv, tmp_path):
    _, _, root = planned
    source = csv(4200)
    path = tmp_path / "bars" / "GSPC.csv"
    lines = path.read_text(encoding="utf-8").splitlines()
    halted = lines.pop(2500)[:10]
    path.write_text("\n".join(lines), encoding="utf-8")
    asked = replace(REQUEST, source=source, ticker="^GSPC", split="2008-12-31/2010-12-31/2012-12-31")
    with pytest.raises(DataError, match="missing_sessions"):
        make_plan(asked, root=root)
    plan, made = make_plan(replace(asked, accept=(f"missing_sessions:{halted}",)), root=root)
    assert made.accepted == (f"missing_sessions:{halted}",)
    assert newest_dataset(root, plan.data, today=made.dates[-1].date()).remarks == ()
    with pytest.raises(InputError, match="accept must name what a check finds, got missing_sessions:2009-07-03"):
        make_plan(replace(asked, accept=(f"missing_sessions:{halted}", "missing_sessions:2009-07-03")), root=root)


def test_the_newest_bars_are_built_where_the_models_own_version_is_gone(planned):
    plan, dataset, root = planned
    dataset.path(root).unlink()
    assert newest_dataset(root, plan.data, today=date(2019, 1, 1)).dataset.digest == dataset.digest
