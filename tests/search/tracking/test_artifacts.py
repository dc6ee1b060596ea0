from pathlib import Path

import pytest

from pipeline.exceptions import StoreError
from search.tracking import artifacts
from search.tracking.artifacts import (
    CHECKPOINT,
    artifact_bytes,
    checkpoint_bytes,
    delete_checkpoint,
    fetch_artifact,
    replace_artifacts,
)
from search.tracking.stores import open_tracking


@pytest.fixture
def client(stores):
    return open_tracking(stores)


@pytest.fixture
def run(client):
    """A run that keeps a checkpoint of 1,000 bytes and a table of 10."""
    run = client.create_run(client.create_experiment("e"))
    client.log_text(run.info.run_id, "w" * 1000, CHECKPOINT)
    client.log_text(run.info.run_id, "t" * 10, "predictions/val.parquet")
    return run


@pytest.fixture
def elsewhere(client):
    """A run whose artifacts lie in a kind of store that nobody knows."""
    return client.create_run(client.create_experiment("far", artifact_location="nostore://there/artifacts"))


@pytest.fixture
def remote(monkeypatch):
    """Read the stores of this machine as if they were none."""
    monkeypatch.setattr(artifacts, "_directory", lambda run: None)


def test_size_is_that_of_every_file_and_unknown_with_one_store_elsewhere(client, run, elsewhere):
    twin = client.create_run(run.info.experiment_id)
    client.log_text(twin.info.run_id, "x" * 5, "x.txt")
    assert artifact_bytes([run, twin]) == 1015
    assert artifact_bytes([]) == 0
    assert artifact_bytes([run, elsewhere]) is None


def test_a_deleted_checkpoint_leaves_the_rest(client, run):
    assert checkpoint_bytes(client, run) == 1000
    delete_checkpoint(client, run)
    assert checkpoint_bytes(client, run) is None
    assert artifact_bytes([run]) == 10


def test_an_artifact_of_this_machine_is_read_where_it_lies(client, run, tmp_path):
    found = fetch_artifact(client, run, "predictions/val.parquet", tmp_path / "copy")
    assert found.read_text() == "t" * 10
    assert found.is_relative_to(run.info.artifact_uri.removeprefix("file://")) and not (tmp_path / "copy").exists()


def test_an_artifact_from_elsewhere_is_a_copy_with_the_same_bytes(client, run, tmp_path, remote):
    for path in (CHECKPOINT, "predictions/val.parquet"):
        copied = fetch_artifact(client, run, path, tmp_path / "copy")
        assert copied.is_relative_to(tmp_path / "copy")
        assert copied.read_bytes() == (Path(run.info.artifact_uri.removeprefix("file://")) / path).read_bytes()


@pytest.mark.parametrize("path", ["none.txt", "predictions/none.parquet", "nowhere/none.txt"])
def test_what_a_run_does_not_keep_is_none_and_no_error(client, run, tmp_path, monkeypatch, path):
    assert fetch_artifact(client, run, path, tmp_path / "here") is None
    monkeypatch.setattr(artifacts, "_directory", lambda run: None)
    assert fetch_artifact(client, run, path, tmp_path / "there") is None


@pytest.mark.lesson("L34")
def test_a_store_that_can_not_be_reached_is_one_line_with_its_address_and_a_remedy(client, elsewhere, tmp_path):
    with pytest.raises(StoreError, match=r"able to give x\.txt, got nostore://there/artifacts/.*; check it") as caught:
        fetch_artifact(client, elsewhere, "x.txt", tmp_path)
    assert "\n" not in str(caught.value)
    with pytest.raises(StoreError, match=r"able to delete files, got nostore://there/artifacts/.* by hand"):
        delete_checkpoint(client, elsewhere)


def test_a_directory_takes_the_place_of_what_was_there_and_nothing_else_goes(client, run, tmp_path):
    for name in ("old", "new"):
        directory = tmp_path / name
        directory.mkdir()
        (directory / f"{name}.txt").write_text(name)
        replace_artifacts(client, run.info.run_id, directory, "report")
    assert [each.path for each in client.list_artifacts(run.info.run_id, "report")] == ["report/new.txt"]
    assert checkpoint_bytes(client, run) == 1000


def test_a_store_that_does_not_delete_keeps_both(client, run, tmp_path, monkeypatch):
    client.log_text(run.info.run_id, "old", "report/old.txt")
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "new.txt").write_text("new")

    class ReadOnly:
        def delete_artifacts(self, path):
            raise NotImplementedError

    monkeypatch.setattr(artifacts, "_repository", lambda client, run: ReadOnly())
    replace_artifacts(client, run.info.run_id, tmp_path / "made", "report")
    kept = [each.path for each in client.list_artifacts(run.info.run_id, "report")]
    assert kept == ["report/new.txt", "report/old.txt"]
