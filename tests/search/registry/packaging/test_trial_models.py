"""Trials as logged models, registered by MLflow's own button: that is not ours, so a change in it has to fail here."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import mlflow
import pandas as pd
import pytest
from mlflow.models import Model
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.keys import Keys

from model.serving.packaged import PackagedModel
from pipeline.datasets.raw_bars import raw_bars
from pipeline.exceptions import RecordError
from search.registry.packaging.fresh_process import TOLERANCE, ask_fresh_process
from search.registry.packaging.kept_models import keep_best_models, trial_models
from search.registry.packaging.mlflow_model import PACKAGES, signature
from search.registry.packaging.trial_models import ModelMaker, link_or_copy
from search.registry.versions.by_hand import BY_HAND
from search.results.trial_runs import recorded_trials
from search.tracking.artifacts import CHECKPOINT, PREDICTIONS, read_artifact
from search.tracking.location import local_path
from search.tracking.tags import NOTE
from tests.served import body, post, serve

MODEL = "patchscale-^GSPC-h1"
UI_SECONDS = 1500


@pytest.fixture
def closed(make_trained):
    """A study of two trials, both of them logged models."""
    study = make_trained(2, 2)
    assert keep_best_models(study) == (2, ())
    return study


def _files(model):
    return Path(local_path(model.artifact_location))


def _said(study, run_id):
    """What a trial stored as its forecasts of the validation days."""
    frame = pd.read_parquet(BytesIO(read_artifact(study.client, study.client.get_run(run_id), PREDICTIONS)))
    return frame.set_index("date")["p"]


def test_a_trial_becomes_a_model_linked_to_run_metrics_and_dataset_and_its_run_stays(make_trained):
    study = make_trained(2, 2)
    before = {each.run_id: each.run for each in recorded_trials(study)}
    keep_best_models(study)
    for model in trial_models(study):
        run = study.client.get_run(model.source_run_id)
        assert (model.status, model.params) == ("READY", run.data.params | model.params)
        assert model.params == recorded_trials(study)[int(model.tags["trial.number"])].spec.params()
        figures = {name: value for name, value in run.data.metrics.items() if name.startswith("best/")}
        assert {metric.key: metric.value for metric in model.metrics} == figures
        (days,) = [each for each in run.inputs.dataset_inputs if each.tags[0].value == "validation"]
        named = {(metric.dataset_name, metric.dataset_digest, metric.run_id) for metric in model.metrics}
        assert named == {(days.dataset.name, days.dataset.digest, run.info.run_id)}
        assert [each.model_id for each in run.outputs.model_outputs] == [model.model_id]
        assert "sessions of `date, open, high, low, close, volume" in model.tags[NOTE]
        was = before[run.info.run_id]
        assert (run.data.metrics, run.data.params, run.data.tags) == (was.data.metrics, was.data.params, was.data.tags)
        history = study.client.get_metric_history(run.info.run_id, "best/loss")
        assert len(history) == 1, "the run's own figures are not logged twice"


def test_its_code_is_one_file_that_python_imports_from(closed):
    model = next(trial_models(closed))
    files = _files(model)
    form = Model.load(str(files)).flavors[mlflow.pyfunc.FLAVOR_NAME]
    packed = files / form[mlflow.pyfunc.CODE]
    with ZipFile(packed) as held:
        there = {name: held.read(name) for name in held.namelist() if name.endswith(".py")}
    sources = [(root.parent, path) for root in PACKAGES for path in root.rglob("*.py")]
    assert there == {path.relative_to(above).as_posix(): path.read_bytes() for above, path in sources}
    assert len([path for path in files.rglob("*") if path.is_file()]) < 10, "each is an upload"
    script = f"import sys; sys.path.insert(0, {str(packed)!r}); import pipeline.exceptions as e; print(e.__file__)"
    said = subprocess.run([sys.executable, "-I", "-S", "-c", script], capture_output=True, text=True, check=True).stdout
    assert said.startswith(str(packed))


def test_it_holds_the_trials_weights_as_a_link_and_serves_without_them(closed):
    model = next(trial_models(closed))
    files, run = _files(model), closed.client.get_run(model.source_run_id)
    member = files / "artifacts" / "package" / "members" / "0.safetensors"
    checkpoint = Path(local_path(run.info.artifact_uri)) / CHECKPOINT
    assert os.path.samefile(member, checkpoint)
    form = Model.load(str(files))
    assert form.signature == signature() and form.model_id == model.model_id and form.run_id == run.info.run_id
    assert form.model_size_bytes > member.stat().st_size
    assert form.metadata["required_days"] == PackagedModel.load(files / "artifacts" / "package").required_days
    checkpoint.unlink()
    said = _said(closed, run.info.run_id)
    bars = raw_bars(closed.data_root, closed.load_data()[0])
    answer = ask_fresh_process(f"models:/{model.model_id}", bars, closed.client.tracking_uri, span=(said.index[0],) * 2)
    assert answer.p.iloc[0] == pytest.approx(said.iloc[0], abs=TOLERANCE)


def test_a_checkpoint_of_another_trial_makes_none(make_trained, tmp_path):
    study = make_trained(2, 2)
    first, second = recorded_trials(study)
    places = [Path(local_path(each.run.info.artifact_uri)) / CHECKPOINT for each in (first, second)]
    places[0].write_bytes(places[1].read_bytes())
    with pytest.raises(RecordError, match=rf"checkpoint {CHECKPOINT} of {first.name[:7]}.* must hold its run's spec"):
        ModelMaker(study).make(first, None, tmp_path)
    assert [(model.status, model.source_run_id) for model in trial_models(study)] == [("FAILED", first.run_id)]


def test_a_file_system_without_links_gets_a_copy(tmp_path, monkeypatch):
    source = tmp_path / "source"
    source.write_bytes(b"weights")
    for _ in range(2):
        link_or_copy(source, tmp_path / "a" / "linked")
    assert os.path.samefile(source, tmp_path / "a" / "linked")

    def refuse(*arguments):
        raise OSError("not on this file system")

    monkeypatch.setattr(os, "link", refuse)
    link_or_copy(source, tmp_path / "a" / "linked")
    assert (tmp_path / "a" / "linked").read_bytes() == b"weights"
    assert not os.path.samefile(source, tmp_path / "a" / "linked")
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["linked"]


def _find(browser, selector, text=""):
    """The first element of a selector whose text is this, once it is there."""
    until = time.monotonic() + UI_SECONDS
    while time.monotonic() < until:
        try:
            for element in browser.find_elements("css selector", selector):
                if element.is_displayed() and text in ("", element.text.strip()):
                    return element
        except WebDriverException:
            pass  # drawn anew meanwhile
        time.sleep(0.2)
    pytest.fail(f"MLflow's UI shows no {selector} {text}")


def _click(browser, selector, text=""):
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", _find(browser, selector, text))
    _find(browser, selector, text).click()


@pytest.mark.slow
def test_the_register_button_makes_a_version_that_serves(closed, home, ui, browser, command):
    *_, model = trial_models(closed)
    try:
        browser.get(f"{ui()}/#/experiments/{closed.experiment_id}/models?workflowType=machine_learning")
        _click(browser, "a[href*='/models/m-']", model.name)
        assert _find(browser, "button[data-component-id='mlflow.logged_model.dataset']").text.startswith("^GSPC-")
        _click(browser, "button", "Register model")
        _click(browser, "input#selectedModel")
        _click(browser, ".mlflow-create-new-model-option")
        _find(browser, "input#modelName").send_keys(MODEL, Keys.TAB)
        _click(browser, "[role=dialog] button", "Register")
        _find(browser, "a[href*='/models/'][href$='/versions/1']")
    except BaseException:
        browser.save_screenshot(str(home / "button.png"))
        print(f"what the browser showed: {home / 'button.png'}")
        raise
    version = closed.client.get_model_version(MODEL, "1")
    assert (version.run_id, version.tags) == (model.source_run_id, {})
    said = _said(closed, version.run_id)
    bars = raw_bars(closed.data_root, closed.load_data()[0])
    sent = bars[bars["date"] <= said.index[-1]].assign(date=lambda frame: frame["date"].dt.strftime("%Y-%m-%d"))
    with serve(f"models:/{MODEL}/1", closed.client.tracking_uri, home) as address:
        status, (forecast,) = post(address, body(sent))
    assert (status, forecast["date"]) == (200, str(said.index[-1].date()))
    assert forecast["probability"] == pytest.approx(said.iloc[-1], abs=TOLERANCE)
    code, out, _ = command("compare", f"{MODEL}/1", f"{MODEL}/1")
    assert code == 0 and f"{MODEL}/1: {BY_HAND}; validation of trial" in out
