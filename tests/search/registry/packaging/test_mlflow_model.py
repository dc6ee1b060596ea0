from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import mlflow
import pytest
import yaml
from mlflow.models import Model

from model.serving.packaged import PackagedModel
from pipeline.exceptions import StoreError
from search.registry.packaging import mlflow_model as registry_package
from search.registry.packaging.mlflow_model import (
    clean_environment,
    log_package,
    requirements,
)


def _directory(logged):
    client, _, model_uri, *_ = logged
    return Path(client.get_logged_model(model_uri.removeprefix("models:/")).artifact_location)


def test_the_logged_model_is_ready_linked_to_its_run_and_described(logged):
    client, run_id, model_uri, home, *_ = logged
    held = client.get_logged_model(model_uri.removeprefix("models:/"))
    packaged = PackagedModel.load(home / "package")
    assert held.status == "READY" and held.source_run_id == run_id
    assert held.params == packaged.spec.params()
    said = {"ticker": "^GSPC", "study": "S", "dataset": packaged.facts.dataset, "trained_through": "2012-12-31"}
    assert said.items() <= held.tags.items() and held.tags["why"] == "test"
    run = client.get_run(run_id)
    assert [output.model_id for output in run.outputs.model_outputs] == [held.model_id]
    assert run.info.status == "RUNNING", "logging a model must not end its run"


def test_nothing_in_it_is_pickled_or_compiled(logged):
    files = [path for path in _directory(logged).rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".py", ".json", ".safetensors", ".yaml", ".txt", ""}
    assert {path.name for path in files if not path.suffix} <= {"MLmodel", "registered_model_meta"}
    form = yaml.safe_load((_directory(logged) / "MLmodel").read_text())["flavors"]
    assert set(form) == {"python_function"}
    assert form["python_function"]["loader_module"] == "mlflow.pyfunc.loaders.code_model"
    assert "python_model" not in form["python_function"]


def test_it_carries_the_feature_and_model_code_whole(logged):
    for package in registry_package.PACKAGES:
        there = _directory(logged) / "code" / package.name
        sources = sorted(path.relative_to(package) for path in package.rglob("*.py"))
        assert sources == sorted(path.relative_to(there) for path in there.rglob("*.py"))
        assert all((package / path).read_bytes() == (there / path).read_bytes() for path in sources)


def test_the_metadata_names_every_column_in_and_the_signature_every_column_out(logged):
    form = Model.load(str(_directory(logged)))
    columns = ["date", "open", "high", "low", "close", "volume", "vix_close", "adj_close (optional)"]
    assert form.metadata["columns"] == columns
    assert form.signature.inputs is None, "MLflow would leave out what it does not name, and dump all data in errors"
    assert form.signature.outputs.input_names() == ["date", "probability", "horizon", "threshold"]
    params = [(p.name, p.default) for p in form.signature.params.params]
    assert params == [("days", "last"), ("horizon", None), ("threshold", None)]


def test_requirements_are_pinned_to_what_is_installed(logged):
    written = (_directory(logged) / "requirements.txt").read_text().split()
    assert sorted(written) == sorted(requirements()) and all(re.fullmatch(r"[\w-]+==[\d.]+", r) for r in written)


def test_a_package_that_cannot_be_read_leaves_no_logged_model(logged, tmp_path):
    client, run_id, *_ = logged
    experiment = client.get_run(run_id).info.experiment_id
    before = len(client.search_logged_models([experiment]))
    with pytest.raises(StoreError):
        log_package(client, run_id, tmp_path)
    assert len(client.search_logged_models([experiment])) == before


def test_a_model_that_could_not_be_written_is_marked_failed(logged, monkeypatch):
    client, run_id, _, home, *_ = logged

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(registry_package, "save_form", fail)
    with pytest.raises(OSError, match="disk full"):
        log_package(client, run_id, home / "package")
    experiment = client.get_run(run_id).info.experiment_id
    assert [held.status for held in client.search_logged_models([experiment])].count("FAILED") == 1
    assert len(client.get_run(run_id).outputs.model_outputs) == 1


def test_the_environment_of_a_fresh_process_knows_nothing_of_this_one(monkeypatch):
    for name in ("PYTHONPATH", "MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("MLFLOW_S3_ENDPOINT_URL", "kept")
    environment = clean_environment("sqlite:///there.db")
    assert not {"PYTHONPATH", "MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID"} & set(environment)
    assert environment["MLFLOW_TRACKING_URI"] == "sqlite:///there.db"
    assert environment["MLFLOW_S3_ENDPOINT_URL"] == "kept"


@pytest.mark.slow
@pytest.mark.lesson("L17")
def test_it_runs_where_the_project_is_not_installed(logged, tmp_path):
    """A process that can't import the project, its editable install hidden, loads the model and uses its code."""
    _, _, model_uri, home, frame, _, uri = logged
    frame.to_parquet(tmp_path / "bars.parquet")
    script = f"""
import sys
sys.meta_path = [f for f in sys.meta_path if "editable" not in repr(f).lower()]
sys.path = [p for p in sys.path if "editable" not in p and not __import__("os").path.exists(p + "/pipeline")]
try:
    import pipeline
    raise SystemExit("the project is importable")
except ModuleNotFoundError:
    pass
import mlflow, pandas as pd
frame = pd.read_parquet("bars.parquet")
print(mlflow.pyfunc.load_model({model_uri!r}).predict(frame)["probability"][0])
import pipeline
print(pipeline.__file__)
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        cwd=tmp_path,
        env=clean_environment(uri),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    probability, origin = done.stdout.split()
    assert "/code/pipeline/" in origin
    here = PackagedModel.load(home / "package").predict(frame)["probability"][0]
    assert abs(float(probability) - here) < 1e-6


def test_loading_it_here_forecasts_too(logged):
    _, _, _, home, frame, *_ = logged
    loaded = mlflow.pyfunc.load_model(str(_directory(logged)))
    found = loaded.predict(frame.tail(1600))
    assert found["date"][0] == "2018-12-31"
    here = PackagedModel.load(home / "package").predict(frame.tail(1600))
    assert abs(found["probability"][0] - here["probability"][0]) < 1e-9
