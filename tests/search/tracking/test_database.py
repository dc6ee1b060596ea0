import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.engine import make_url

from pipeline.exceptions import StoreError
from search.tracking.database import database_of, make_database, prepare_tracking, revision, rows, tables, uri_of
from search.tracking.stores import SQLITE, open_storage, open_tracking, resolve_stores
from tests.disk import mount, unmount
from tests.forking_commands import Popen

PROJECT = Path(__file__).parents[3]
OPEN = """
import sys
from search.tracking.stores import open_storage, open_tracking, resolve_stores
from search.study.life_cycle import find_or_create_experiment
stores = resolve_stores(*sys.argv[1:])
find_or_create_experiment(open_tracking(stores), stores, "patchscale-X-h1")
open_storage(stores)
"""


def uris(directory):
    return [f"{SQLITE}{directory}/{name}.db" for name in ("mlflow", "optuna")]


def older(template, directory, wanted="runs"):
    """A store as an older MLflow left it: an earlier revision, and a table of today that is missing."""
    shutil.copytree(template, directory)
    with closing(sqlite3.connect(directory / "mlflow.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '5b0e9adcef9c'")
        if wanted == "runs":
            connection.execute("INSERT INTO runs (run_uuid, experiment_id, lifecycle_stage) VALUES ('r', 0, 'active')")
        connection.execute("DROP TABLE entity_associations")
    return directory / "mlflow.db"


@pytest.mark.slow
@pytest.mark.lesson("L40")
def test_first_use_by_several_processes_at_once_makes_one_whole_store(tmp_path):
    processes = [
        Popen(
            [sys.executable, "-c", OPEN, *uris(tmp_path)],
            env={**os.environ, "PYTHONPATH": str(PROJECT)},
            stderr=subprocess.PIPE,
        )
        for _ in range(3)
    ]
    said = [process.communicate()[1].decode() for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], said
    assert {path.name for path in tmp_path.iterdir()} == {"mlflow.db", "optuna.db", "locks"}
    client = open_tracking(resolve_stores(*uris(tmp_path)))
    assert sorted(each.name for each in client.search_experiments()) == ["Default", "patchscale-X-h1"]


@pytest.mark.lesson("L40")
def test_a_store_whose_first_use_was_cut_off_is_made_again(tmp_path, template):
    path = older(template, tmp_path / "mlruns", wanted="nothing")
    (path.parent / ".mlflow.db.1.part").write_bytes(b"half")
    (path.parent / "optuna.db").write_bytes(b"")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE _alembic_tmp_tags (x)")
    stores = resolve_stores(*uris(path.parent))
    assert [each.name for each in open_tracking(stores).search_experiments()] == ["Default"]
    assert open_storage(stores).get_all_studies() == []
    assert "_alembic_tmp_tags" not in tables(path) and not list(path.parent.glob("*.part"))


@pytest.mark.lesson("L40")
def test_an_interrupted_first_use_leaves_nothing(tmp_path):
    def die(uri):
        Path(uri.removeprefix(SQLITE)).write_bytes(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_database(tmp_path / "x.db", die)
    assert list(tmp_path.iterdir()) == []


def test_an_older_schema_is_left_alone_by_who_only_reads(tmp_path, template):
    path = older(template, tmp_path / "mlruns")
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"older one \(5b0e9adcef9c\).*; patchscale hpo or reconcile .* migrates it$"):
        open_tracking(resolve_stores(*uris(path.parent)))
    assert path.read_bytes() == before


@pytest.mark.lesson("L40")
def test_an_older_schema_is_migrated_when_asked_and_a_copy_is_kept(tmp_path, template, monkeypatch):
    path = older(template, tmp_path / "mlruns")
    before = path.read_bytes()

    def upgrade(engine):
        with closing(sqlite3.connect(path)) as connection, connection:
            head = rows(template / "mlflow.db", "SELECT version_num FROM alembic_version")[0][0]
            connection.execute("UPDATE alembic_version SET version_num = ?", (head,))

    monkeypatch.setattr("mlflow.store.db.utils._upgrade_db", upgrade)
    prepare_tracking(path, migrate=True)
    assert revision(path) == revision(template / "mlflow.db")
    copy = path.with_name("mlflow.db.before-5b0e9adcef9c")
    assert revision(copy) == "5b0e9adcef9c" and len(copy.read_bytes()) == len(before)


def test_a_newer_schema_is_refused_with_what_reads_it(tmp_path, template):
    path = older(template, tmp_path / "mlruns")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = 'ffffffffffff'")
    for migrate in (False, True):
        with pytest.raises(StoreError, match="with ffffffffffff; install the newer MLflow that made it"):
            open_tracking(resolve_stores(*uris(path.parent)), migrate=migrate)


@pytest.fixture
def disk(tmp_path):
    """A disk of a test's own, of so many bytes, perhaps read-only from then on; skipped where it can't be mounted."""
    place = tmp_path / "disk"
    place.mkdir()

    yield lambda *options: mount(place, *options)
    unmount(place)


@pytest.mark.slow
def test_a_full_disk_is_one_line_and_leaves_nothing_half_made(disk, monkeypatch, command):
    place = disk("size=600k")
    monkeypatch.chdir(place)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    for arguments in (["status"], ["hpo", "--budget", "5K", "--trials", "1"]):
        code, _, err = command(*arguments)
        assert (code, err.count("\n")) == (2, 1) and ("full" in err or "No space left" in err), err
        left = [path for path in place.rglob("*") if path.is_file() and path.suffix != ".lock"]
        assert not [path for path in left if ".part" in path.name or path.suffix == ".db"]


@pytest.mark.slow
def test_a_store_on_a_read_only_disk_is_read_and_what_would_write_says_so(disk, home, make_study, monkeypatch, command):
    study, place = make_study(1), disk("size=8m")
    shutil.copytree(home / "mlruns", place / "mlruns", ignore=shutil.ignore_patterns("locks"))
    subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
    monkeypatch.chdir(place)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert command("status")[0] == 0
    code, _, err = command("hpo", "--budget", "5K", "--trials", "1")
    assert (code, err.count("\n")) == (2, 1) and "Read-only file system" in err
    code, _, err = command("reconcile", study.plan.study)
    assert (code, err.count("\n")) == (2, 1) and "Read-only file system" in err


LETTERS = st.text("ab %?#ä+&'20", min_size=1, max_size=12).map(str.strip).filter(bool)


@given(LETTERS)
@settings(max_examples=50)
def test_a_path_of_any_letters_is_the_same_to_sqlalchemy(name):
    path = Path("/") / name / "mlflow.db"
    assert database_of(uri_of(path)) == path
    assert make_url(uri_of(path)).database == str(path)


@pytest.mark.slow
@pytest.mark.usefixtures("forked_workers")
@pytest.mark.parametrize("name", ["100%", "a%20b", "what?", "no #1"])
def test_a_study_lives_in_a_folder_of_any_name(tmp_path, monkeypatch, command, template, name):
    place = tmp_path / name
    place.mkdir()
    monkeypatch.chdir(place)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    code, out, error = command("hpo", *"--budget 5K --tier r25 --trials 1 --max-epochs 1 --workers 1".split())
    assert code == 0, error
    assert (place / "mlruns" / "optuna.db").exists() and "[1/1]" in out
    assert sorted(path.name for path in tmp_path.iterdir()) == [name]
    assert command("verify")[0] == 0


def test_a_database_that_somebody_writes_to_meanwhile_is_not_replaced(tmp_path):
    path = tmp_path / "x.db"

    def make(uri):
        for each in (path, Path(uri.removeprefix(SQLITE))):
            with closing(sqlite3.connect(each)) as connection, connection:
                connection.execute(f"CREATE TABLE {'theirs' if each == path else 'ours'} (x)")

    with pytest.raises(StoreError, match=r"written to; repeat the command$"):
        make_database(path, make)
    assert tables(path) == {"theirs"} and list(tmp_path.iterdir()) == [path]
