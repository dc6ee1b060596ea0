import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.tracking import database, location
from search.tracking.artifacts import read_artifact
from search.tracking.location import artifact_folder, beside, foreign_homes, local_path
from search.tracking.stores import SQLITE, open_tracking, resolve_stores

PLACES = ["with space", "ümlaut/deeper"]


def make_record(directory, template):
    """An embedded store with a run of ours, a model, a version and an experiment of somebody's own."""
    shutil.copytree(template, directory)
    stores = resolve_stores(f"{SQLITE}{directory}/mlflow.db")
    client = open_tracking(stores)
    place = f"{stores.artifact_location}/{artifact_folder('patchscale-^X-h1')}"
    experiment = client.create_experiment("patchscale-^X-h1", artifact_location=place)
    run = client.create_run(experiment, tags={"run.role": "trial"})
    client.log_text(run.info.run_id, "first", "predictions/val.parquet")
    model = client.create_logged_model(experiment, name="m")
    (local_path(model.artifact_location)).mkdir(parents=True)
    (local_path(model.artifact_location) / "MLmodel").write_text("model", encoding="utf-8")
    client.create_registered_model("m")
    client.create_model_version("m", model.artifact_location, run.info.run_id)
    own = directory.parent / "own"
    client.create_experiment("own", artifact_location=own.as_uri())
    return run.info.run_id


@pytest.fixture
def record(tmp_path, template):
    """Directory of a store, and the id of its run."""
    return tmp_path / "a" / "mlruns", make_record(tmp_path / "a" / "mlruns", template)


def open_at(directory):
    return open_tracking(resolve_stores(f"{SQLITE}{directory}/mlflow.db"))


def tree(directory):
    files = (path for path in directory.rglob("*") if path.is_file() and path.suffix != ".lock")
    return {path.relative_to(directory): path.read_bytes() for path in files}


def recorded(directory):
    with closing(sqlite3.connect(directory / "mlflow.db")) as connection:
        columns = [(table, column) for table, names in location.PATHS.items() for column in names]
        return [
            value
            for table, column in columns
            for (value,) in connection.execute(f"SELECT {column} FROM {table}")
            if value and "/artifacts/" in value
        ]


@pytest.mark.lesson("L39")
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("how", [shutil.move, shutil.copytree])
def test_artifacts_are_found_and_written_beside_the_database(record, tmp_path, capsys, how, place):
    (was, run_id), home = record, tmp_path / place / "mlruns"
    home.parent.mkdir(parents=True)
    how(was, home)
    before = tree(was)
    client = open_at(home)
    said = (home / "logs" / "moves.log").read_text(encoding="utf-8")
    assert f"the record was made in {was} and lies in {home} now" in said and capsys.readouterr() == ("", "")
    run = client.get_run(run_id)
    assert read_artifact(client, run, "predictions/val.parquet") == b"first"
    client.log_text(run_id, "more", "report/report.html")
    new = client.create_run(run.info.experiment_id)
    client.log_text(new.info.run_id, "more", "report/report.html")
    assert len(list(home.rglob("report.html"))) == 2
    assert tree(was) == before
    assert all(local_path(each).is_relative_to(home) for each in recorded(home))
    assert (local_path(client.get_model_version("m", "1").source) / "MLmodel").exists()
    assert client.get_experiment_by_name("own").artifact_location == (was.parent / "own").as_uri()
    open_at(home)
    assert (home / "logs" / "moves.log").read_text(encoding="utf-8") == said, "once"


@pytest.mark.lesson("L39")
def test_what_was_left_behind_follows_and_what_another_store_added_does_not(record, tmp_path):
    was, run_id = record
    home, copied = tmp_path / "b" / "mlruns", tmp_path / "c" / "mlruns"
    shutil.copytree(was, copied)
    shutil.copytree(was, home, ignore=shutil.ignore_patterns("artifacts"))
    open_at(was).log_text(run_id, "later", "later.txt")
    client = open_at(home)
    run = client.get_run(run_id)
    assert read_artifact(client, run, "predictions/val.parquet") == b"first", "a copy of the database alone"
    assert read_artifact(open_at(copied), open_at(copied).get_run(run_id), "later.txt") is None
    for file in was.glob("*.db"):
        file.unlink()
    moved = tmp_path / "d" / "mlruns"
    shutil.copytree(copied, moved)
    client = open_at(moved)
    assert read_artifact(client, client.get_run(run_id), "predictions/val.parquet") == b"first"


@pytest.mark.lesson("L39")
def test_a_store_that_can_not_be_written_is_read_where_it_lies(record, tmp_path, monkeypatch):
    (was, run_id), home = record, tmp_path / "b" / "mlruns"
    shutil.move(was, home)
    for module in (database, location):
        monkeypatch.setattr(module, "is_writable", lambda path: False)
    before = tree(home)
    client = open_at(home)
    assert read_artifact(client, client.get_run(run_id), "predictions/val.parquet") == b"first"
    assert tree(home) == before


def test_a_run_whose_files_are_nowhere_is_looked_for_beside_the_database(record, tmp_path):
    (was, run_id), home = record, tmp_path / "b" / "mlruns"
    shutil.move(was, home)
    shutil.rmtree(home / "artifacts")
    client = open_at(home)
    assert read_artifact(client, client.get_run(run_id), "predictions/val.parquet") is None
    assert not was.exists() and not foreign_homes(home / "mlflow.db")


@given(st.text(st.characters(codec="utf-8", exclude_characters="/\0", exclude_categories=["Cc", "Cs"]), min_size=1))
def test_every_path_reads_back(name):
    path = Path("/") / "a" / name / "b"
    assert local_path(path.as_uri()) == local_path(str(path)) == path


@pytest.mark.parametrize(
    ("recorded", "here"),
    [
        ("file:///no/artifacts/e/r/artifacts", "artifacts/e/r/artifacts"),
        ("/no/artifacts/mlruns/artifacts/e/models/m-1/artifacts", "artifacts/e/models/m-1/artifacts"),
        ("s3://bucket/artifacts/e/r/artifacts", None),
    ],
)
def test_a_location_s_own_part_is_taken_to_the_store(tmp_path, recorded, here):
    assert beside(tmp_path, recorded) == (None if here is None else tmp_path / here)
