import os
import shutil
import sqlite3
from contextlib import closing

import pytest

from pipeline.exceptions import StoreError
from search.tracking.database import is_left_half_made, rows, tables
from search.tracking.schema import MLFLOW, OPTUNA
from search.tracking.stores import SQLITE, open_storage, open_tracking, resolve_stores


def run(path, *queries):
    with closing(sqlite3.connect(path)) as connection, connection:
        for query in queries:
            connection.execute(query)
    return path


def foreign(directory, template, kind):
    """A file that is not ours to touch, of some kind."""
    path = directory / "theirs.db"
    if kind in ("mlflow", "optuna"):
        shutil.copy(template / f"{kind}.db", path)
    elif kind == "text":
        path.write_text("to do\n" * 100)
    elif kind == "one letter":
        path.write_text("x")  # SQLite takes a file of one byte for an empty one
    elif kind == "parquet":
        path.write_bytes(b"PAR1" + bytes(2000) + b"PAR1")
    elif kind == "directory":
        (path / "inside").mkdir(parents=True)
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        run(path, *kind.split(";"))
    return path


ROWS = "CREATE TABLE customers (name TEXT);INSERT INTO customers VALUES ('Ada')"
KINDS = [
    ROWS,
    "CREATE TABLE customers (name TEXT)",
    "CREATE VIEW today AS SELECT 1",
    "CREATE TABLE alembic_version (version_num TEXT);INSERT INTO alembic_version VALUES ('1a2b');" + ROWS,
    "CREATE TABLE tags (name TEXT);INSERT INTO tags VALUES ('new')",
    "CREATE TABLE studies (name TEXT);CREATE TABLE trials (name TEXT);INSERT INTO trials VALUES ('phase 1')",
    "CREATE TABLE _alembic_tmp_runs (run_uuid TEXT);INSERT INTO _alembic_tmp_runs VALUES ('r')",
    *("text", "one letter", "parquet", "directory", "pipe"),
]


def left(path):
    return path.read_bytes() if path.is_file() else sorted(path.rglob("*"))


@pytest.mark.parametrize("option", ["--tracking-uri", "--storage"])
@pytest.mark.parametrize("kind", [*KINDS, "mlflow", "optuna"])
def test_a_file_that_is_not_ours_is_refused_and_left_byte_for_byte(tmp_path, home, template, command, option, kind):
    if kind == {"--tracking-uri": "mlflow", "--storage": "optuna"}[option]:
        pytest.skip("this one is ours")
    (tmp_path / "there").mkdir()
    path = foreign(tmp_path / "there", template, kind)
    before = left(path)
    code, out, err = command("status", option, f"{SQLITE}{path}")
    assert (code, out, err.count("\n")) == (2, "", 1), err
    assert f"{option[2:].replace('-', '_')} must be " in err and str(path) in err and "name another one" in err
    assert command("verify", option, f"{SQLITE}{path}")[0] == 1
    assert left(path) == before
    assert [each for each in path.parent.iterdir() if each.is_file()] == ([path] if path.is_file() else [])
    assert not (path.parent / "locks").exists()


@pytest.mark.parametrize("by", ["name", "symbolic link", "hard link", "other spelling", "variable", "missing"])
def test_one_file_for_both_stores_is_refused_and_left_as_it_is(home, command, monkeypatch, by):
    path = home / "mlruns" / ("none.db" if by == "missing" else "mlflow.db")
    before, other = path.exists() and path.read_bytes(), home / "other.db"
    if by == "symbolic link":
        other.symlink_to(path)
    elif by == "hard link":
        os.link(path, other)
    else:
        other = home / "mlruns" / ".." / "mlruns" / path.name if by == "other spelling" else path
    arguments = ["--tracking-uri", f"{SQLITE}{path}"]
    if by == "variable":
        monkeypatch.setenv("PATCHSCALE_STORAGE", f"{SQLITE}{other}")
    else:
        arguments += ["--storage", f"{SQLITE}{other}"]
    for name in ("status", "verify"):
        code, out, err = command(name, *arguments)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert "tracking_uri and storage must be two databases" in err
    assert (path.exists() and path.read_bytes()) == before


def test_the_default_of_one_store_is_not_taken_for_the_other(home, command):
    before = (home / "mlruns" / "optuna.db").read_bytes()
    code, _, err = command("status", "--tracking-uri", f"{SQLITE}{home}/mlruns/optuna.db")
    assert code == 2 and "must be two databases" in err
    assert (home / "mlruns" / "optuna.db").read_bytes() == before


def test_an_older_record_that_holds_only_traces_or_tags_is_not_empty(tmp_path, template):
    older = "UPDATE alembic_version SET version_num = '5b0e9adcef9c'"
    trace = "INSERT INTO trace_info (request_id, experiment_id, timestamp_ms, status) VALUES ('t', 0, 1, 'OK')"
    tag = "INSERT INTO experiment_tags (key, value, experiment_id) VALUES ('note', 'mine', 0)"
    for query in (trace, tag):
        shutil.copy(template / "mlflow.db", tmp_path / "mlflow.db")
        path = run(tmp_path / "mlflow.db", older, "DROP TABLE entity_associations", query)
        before = path.read_bytes()
        with pytest.raises(StoreError, match="which a command that only reads leaves alone"):
            open_tracking(resolve_stores(f"{SQLITE}{path}"))
        assert path.read_bytes() == before


def test_tables_alone_of_a_tool_are_half_made_and_a_row_makes_them_a_record(tmp_path, template):
    for tool, name, query in (
        (MLFLOW, "mlflow", "INSERT INTO experiments (experiment_id, name) VALUES (7, 'mine')"),
        (OPTUNA, "optuna", "INSERT INTO studies (study_id, study_name) VALUES (1, 'mine')"),
    ):
        path = tmp_path / f"{name}.db"
        shutil.copy(template / f"{name}.db", path)
        assert is_left_half_made(path, tool, tables(path))
        run(path, query)
        assert not is_left_half_made(path, tool, tables(path))


def test_of_tables_that_were_made_anew_a_copy_is_kept(tmp_path):
    path = run(tmp_path / "optuna.db", "CREATE TABLE studies (note TEXT)")
    assert open_storage(resolve_stores(f"{SQLITE}{tmp_path}/mlflow.db")).get_all_studies() == []
    copy = tmp_path / "optuna.db.before-first-use"
    assert rows(copy, "SELECT sql FROM sqlite_master") == [("CREATE TABLE studies (note TEXT)",)]
    assert tables(path) > {"studies", "alembic_version"}
