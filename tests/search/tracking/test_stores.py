import os

import pytest

from pipeline.exceptions import StoreError
from search.tracking.stores import open_storage, open_tracking, prepare_home, resolve_stores


def test_defaults_lie_under_mlruns_and_plain_mlflow_finds_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    stores = resolve_stores()
    prepare_home(stores)
    assert stores.tracking_uri == f"sqlite:///{tmp_path}/mlruns/mlflow.db"
    assert stores.storage_uri == f"sqlite:///{tmp_path}/mlruns/optuna.db"
    assert os.readlink(tmp_path / "mlflow.db") == "mlruns/mlflow.db"
    assert resolve_stores(f"sqlite:///{tmp_path}/mlflow.db") == stores


def test_the_environment_names_the_tracking_store(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/other.db")
    stores = resolve_stores()
    assert stores.home == tmp_path
    assert stores.storage_uri == f"sqlite:///{tmp_path}/optuna.db"


@pytest.mark.parametrize("uri", ["sqlite:////nonexistent/place/mlflow.db", "nonsense://x", "file:///tmp/files"])
def test_a_tracking_store_that_is_none_is_one_line(tmp_path, monkeypatch, uri):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StoreError) as caught:
        open_tracking(resolve_stores(uri))
    assert "\n" not in str(caught.value)
    assert uri in str(caught.value)


def test_a_file_that_is_no_database_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.db").write_text("not a database" * 100)
    uri = f"sqlite:///{tmp_path}/broken.db"
    for option, connect, uris in (("tracking_uri", open_tracking, (uri,)), ("storage", open_storage, ("", uri))):
        with pytest.raises(StoreError, match=option):
            connect(resolve_stores(*uris))


@pytest.mark.parametrize(
    "uri",
    [
        *(
            "sqlite://",
            "sqlite:///",
            "sqlite:///:memory:",
            "sqlite:///file::memory:?cache=shared",
            "sqlite+pysqlite:///x",
        ),
        *("sqlite:///file:x?mode=memory", "redis://h", "./mlruns", "databricks", "sqlite:///x.db?timeout=3"),
    ],
)
def test_a_store_that_other_processes_can_not_open_is_refused_at_the_start(tmp_path, monkeypatch, command, uri):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    for option in ("--tracking-uri", "--storage"):
        code, out, err = command("status", option, uri)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert "must be a store that every process can open, sqlite:///FILE or one of" in err and f"got {uri};" in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.lesson("L44")
def test_a_registry_of_another_project_is_not_written_to(home, stores, monkeypatch):
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", f"sqlite:///{home}/theirs.db")
    open_tracking(stores).create_registered_model("m")
    assert not (home / "theirs.db").exists()
    monkeypatch.delenv("MLFLOW_REGISTRY_URI")
    assert [model.name for model in open_tracking(stores).search_registered_models()] == ["m"]
