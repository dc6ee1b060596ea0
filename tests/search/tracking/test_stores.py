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
    for option, connect in (("tracking_uri", open_tracking), ("storage", open_storage)):
        with pytest.raises(StoreError, match=option):
            connect(resolve_stores(uri, uri))
