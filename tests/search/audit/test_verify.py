import os
import shutil
import socket

import mlflow
import pytest

from search.audit.verify import LOCKED_PARTS, verify
from search.tracking.location import local_path
from search.tracking.locks import IMPORT, brief_lock, registry_lock, study_lock
from search.tracking.tags import EVALUATED


@pytest.fixture
def found(home, stores):
    """What verify says now: whether each thing is whole, by its name."""
    return lambda: {line.split(":")[0]: (whole, line) for whole, line in verify(stores, home / "data")}


def test_verify_finds_a_changed_dataset_and_a_damaged_store(home, command, planned):
    _, dataset, root = planned
    shutil.copytree(root, home / "data")
    (home / "data" / "datasets" / f"{dataset.digest}.parquet").write_bytes(b"PAR1 not any more")
    (home / "mlruns" / "optuna.db").write_bytes(b"SQLite format 3\0" + b"\xff" * 4096)
    code, out, _ = command("verify")
    bad = [line for line in out.splitlines() if line.startswith("BAD")]
    assert code == 1
    assert any("dataset file" in line for line in bad)
    assert any("scheduling store" in line for line in bad)


@pytest.mark.lesson("L29")
@pytest.mark.parametrize("part", ["", *LOCKED_PARTS])
def test_a_run_that_nobody_works_on_is_stale(found, make_study, stores, part):
    study = make_study(1)
    whole, line = found()["runs"]
    assert not whole and f"1 say RUNNING though nobody works on them ({study.run_id[:8]})" in line
    with study_lock(stores, f"{study.plan.study}{part}"):
        assert found()["runs"] == (True, "runs: 1 running, none stale")


def test_a_changed_snapshot_is_found(found, home, planned):
    shutil.copytree(planned[2], home / "data")
    paths = list((home / "data" / "snapshots").glob("*/*.parquet"))
    assert found()["snapshots"] == (True, f"snapshots: {len(paths)} whole")
    path = paths[0]
    path.write_bytes(path.read_bytes()[:-9])
    whole, line = found()["snapshots"]
    assert not whole and "delete it and pull again" in line


def test_what_is_not_installed_as_required_is_named(found, monkeypatch):
    wanted = ["numpy>=2", "numpy<1", "no-such-library>=3", "also-none; extra == 'test'"]
    monkeypatch.setattr("search.audit.verify.requires", lambda name: wanted)
    whole, line = found()["environment"]
    assert not whole and line.count("(got ") == 2
    assert "numpy<1 (got 2" in line and "no-such-library>=3 (got none)" in line


def test_stores_that_were_not_made_yet_are_whole(found, home):
    shutil.rmtree(home / "mlruns")
    said = found()
    assert said["tracking store"][0] and said["tracking store"][1].endswith("not made yet")
    assert said["runs"] == (True, "runs: none yet")
    assert not (home / "mlruns").exists(), "looking makes nothing"


def test_files_of_a_version_are_looked_for_also_where_mlflows_button_made_it(found, make_study, tmp_path, monkeypatch):
    study = make_study(1)
    client = study.client
    monkeypatch.setattr(mlflow.tracking._tracking_service.utils, "_tracking_uri", client.tracking_uri)
    model = client.create_logged_model(study.experiment_id, name="m")
    (tmp_path / "form").mkdir()
    (tmp_path / "form" / "MLmodel").touch()
    client.log_model_artifacts(model.model_id, str(tmp_path / "form"))
    client.create_registered_model("m")
    for source in (model.artifact_location, f"models:/{model.model_id}"):
        client.create_model_version("m", source, study.run_id)
    assert found()["model versions"] == (True, "model versions: 2 whole")
    shutil.rmtree(local_path(model.artifact_location))
    whole, line = found()["model versions"]
    assert not whole and "the files of m/2, m/1 are gone" in line


@pytest.mark.lesson("L29")
def test_an_evaluation_is_judged_by_the_lock_of_its_model_and_each_remedy_is_of_the_command_that_left_it(
    found, make_study, stores
):
    study = make_study(1)
    study.client.set_terminated(study.run_id)
    run_id = study.start_run("test m/3", role="test", tags={EVALUATED: "m/3"}).run_id
    with registry_lock(stores, "other"):
        whole, line = found()["runs"]
        assert not whole and line.endswith(f"({run_id[:8]}); repeat their evaluate")
    with registry_lock(stores, "m"):
        assert found()["runs"] == (True, "runs: 1 running, none stale")
    study.client.set_terminated(run_id)
    for role, remedy in (("baseline", "baselines"), ("walkforward", "walkforward"), ("registration", "register")):
        run_id = study.start_run("x", role=role).run_id
        assert f"({run_id[:8]}); repeat their {remedy}" in found()["runs"][1]
        study.client.set_terminated(run_id)


@pytest.mark.lesson("L29")
def test_a_launcher_is_judged_by_its_process_and_an_import_by_its_lock(found, stores, home):
    client = mlflow.MlflowClient(stores.tracking_uri)
    tags = {"run.role": "launcher", "study.name": "A,B", "launcher.host": socket.gethostname()}
    alive = {**tags, "launcher.pid": str(os.getpid())}
    elsewhere = {**tags, "launcher.pid": "999999999", "launcher.host": "another"}
    for each in (alive, elsewhere):
        client.create_run("0", tags=each)
    assert found()["runs"] == (True, "runs: 2 running, none stale")
    gone = client.create_run("0", tags={**tags, "launcher.pid": "999999999"}).info.run_id
    whole, line = found()["runs"]
    assert not whole and f"1 say RUNNING though nobody works on them ({gone[:8]}); patchscale reconcile" in line
    client.set_terminated(gone)
    for role, study in (("legacy-study", ""), ("legacy-trial", "theirs")):
        client.create_run("0", tags={"run.role": role, "study.name": study})
    with brief_lock(stores, IMPORT):
        assert found()["runs"] == (True, "runs: 4 running, none stale")
    whole, line = found()["runs"]
    assert not whole and "2 say RUNNING" in line and line.endswith("; repeat the import")
