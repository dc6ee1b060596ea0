import shutil

import pytest

import search.tracking.data_place as data_place
from pipeline.datasets.dataset import dataset_path, load_dataset
from pipeline.datasets.raw_bars import raw_bars
from pipeline.exceptions import DataError
from search.tracking.data_place import FOLDER, bring_data, data_address, is_shared, keep_data


@pytest.fixture
def shared(make_study, planned, monkeypatch):
    """A study whose store other machines read, and which holds its data."""
    study = make_study(1)
    assert not is_shared(study.client) and data_address(study.client, study.run_id) == ""
    keep_data(study.client, study.run_id, planned[2], [planned[1]])
    assert study.client.list_artifacts(study.run_id, FOLDER) == [], "a store of this machine has its data beside it"
    monkeypatch.setattr(data_place, "is_shared", lambda client: True)
    monkeypatch.setattr("search.study.study.is_shared", lambda client: True)
    keep_data(study.client, study.run_id, planned[2], [planned[1]])
    return study


@pytest.mark.lesson("L39")
def test_a_version_and_its_snapshots_come_back_as_they_were(shared, planned, tmp_path):
    _, dataset, root = planned
    there = tmp_path / "elsewhere" / "data"
    bring_data(shared.client, shared.run_id, [dataset.digest], there)
    assert load_dataset(there, dataset.digest).frame.equals(dataset.frame)
    assert raw_bars(there, dataset).equals(raw_bars(root, dataset))
    assert {each.name for each in there.iterdir()} == {"datasets", "snapshots"}, "nothing is left beside them"
    before = dataset_path(there, dataset.digest).stat().st_mtime_ns
    bring_data(shared.client, shared.run_id, [dataset.digest], there)
    assert dataset_path(there, dataset.digest).stat().st_mtime_ns == before


@pytest.mark.lesson("L39")
def test_a_study_finds_its_data_wherever_it_is_opened(shared, planned, tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    shared.schedule.set_user_attr("data_root", str(gone))
    assert not (tmp_path / "data").exists()
    assert shared.load_data()[0].digest == planned[1].digest
    assert shared.data_root == tmp_path / "data"


@pytest.mark.lesson("L39")
def test_what_is_not_what_its_name_says_is_not_taken(shared, planned, tmp_path):
    _, dataset, root = planned
    other = tmp_path / "other" / f"{dataset.digest}.parquet"
    other.parent.mkdir()
    shutil.copy(next((root / "snapshots").rglob("*.parquet")), other)
    shared.client.log_artifact(shared.run_id, str(other), f"{FOLDER}/datasets")
    with pytest.raises(DataError, match=rf"got {dataset.digest} of run {shared.run_id[:8]}, which is not"):
        bring_data(shared.client, shared.run_id, [dataset.digest], tmp_path / "there")
    assert list((tmp_path / "there").iterdir()) == []


def test_what_the_store_does_not_hold_stays_missing(shared, tmp_path):
    bring_data(shared.client, shared.run_id, ["0" * 32], tmp_path / "there")
    with pytest.raises(DataError, match="build it again"):
        load_dataset(tmp_path / "there", "0" * 32)


def test_the_address_is_one_that_mlflow_reads(shared):
    from mlflow.artifacts import list_artifacts

    found = list_artifacts(
        f"{data_place.data_address(shared.client, shared.run_id)}/datasets", tracking_uri=shared.client.tracking_uri
    )
    assert [each.path.rpartition("/")[2] for each in found] == [f"{shared.plan.data.dataset}.parquet"]
