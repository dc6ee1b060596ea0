import pytest

from search.audit.kept_files import SAMPLE, files_of, look_into
from search.tracking.artifacts import CHECKPOINT, DELETED, DIGEST, PREDICTIONS, fetch_artifact


@pytest.fixture
def study(make_trained):
    return make_trained(2, 2)


@pytest.fixture
def runs(study):
    return lambda: study.runs("trial", status="FINISHED")


def file_of(study, run, path, tmp_path):
    return fetch_artifact(study.client, run, path, tmp_path)


@pytest.mark.lesson("L39")
def test_files_are_what_was_written(study, runs):
    assert set(files_of(runs()[0])) == {"spec.json", CHECKPOINT, PREDICTIONS, "predictions/preview.csv"}
    found = look_into(study.client, runs())
    assert found.text() == "8 files of 2 runs opened, 8 equal to their digest"


@pytest.mark.lesson("L39")
@pytest.mark.parametrize("path", ["spec.json", CHECKPOINT, PREDICTIONS])
def test_a_file_that_is_gone_or_changed_is_named(study, runs, tmp_path, path):
    run = runs()[1]
    file = file_of(study, run, path, tmp_path)
    content = file.read_bytes()
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert look_into(study.client, runs()).problems == [f"{path} of run {run.info.run_id} is not what was written"]
    file.unlink()
    found = look_into(study.client, runs())
    assert found.problems == [f"{path} of run {run.info.run_id} is gone"]
    assert found.text().endswith("is gone; put the store's artifacts back, from a backup or from where it was moved")


def test_files_without_a_digest_are_opened_and_said_to_be_unknown(study, runs, tmp_path):
    for run in runs():
        for name in [name for name in run.data.tags if name.startswith(DIGEST)]:
            study.client.delete_tag(run.info.run_id, name)
    found = look_into(study.client, runs())
    assert found.text() == "6 files of 2 runs opened, 0 equal to their digest, 6 of records that name none"
    file_of(study, runs()[0], PREDICTIONS, tmp_path).write_bytes(b"PAR1 not any more")
    assert f"{PREDICTIONS} of run {runs()[0].info.run_id} can't be read" in look_into(study.client, runs()).text()


def test_what_gc_deleted_is_not_missed(study, runs, tmp_path):
    run = runs()[0]
    file_of(study, run, CHECKPOINT, tmp_path).unlink()
    study.client.set_tag(run.info.run_id, DELETED, "1 bytes")
    assert not look_into(study.client, runs()).problems


def test_of_many_runs_a_sample_is_opened(study, runs):
    found = look_into(study.client, runs() * 20)
    assert found.runs == SAMPLE and not found.problems
