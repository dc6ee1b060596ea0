"""A study that searches the window, from its trials to a version that is served: each sees its own days."""

import shutil
from dataclasses import replace
from io import BytesIO

import optuna
import pandas as pd
import pytest

from pipeline.splits.target import Target
from pipeline.tiers import tier_memory
from search.audit.audit import audit_study
from search.hpo.supplement import find_shortfall
from search.registry.live.predict import base_rate_of, predict_live
from search.registry.live.request_body import request_body
from search.registry.register import RegisterRequest, register
from search.registry.versions.version_spec import context_length_of
from search.registry.versions.versions import TRIAL_RUN, find_version
from search.results.influence import influence_of_study
from search.results.trial_runs import recorded_trials
from search.results.trials_table import trials_table
from search.space.extremes import extremes
from search.study.make_plan import make_plan
from search.study.restore import restore
from search.study.study import load_study, open_or_create_study
from search.tracking.artifacts import PREDICTIONS, read_artifact
from search.tracking.stores import open_storage
from search.trial.runner import TrialRunner
from search.walk_forward.subject import read_subjects
from search.walk_forward.walk import load_walk_forward_data
from tests.search.conftest import REQUEST
from tests.search.registry.conftest import MODEL, open_stores, quiet_console

NAME = "windows"
WINDOW = {"context_length": (20, 60), "patch_length": (5, 10), "stride": (5,)}
TRAINING = {"learning_rate": "1e-3:1e-2:log", "dropout": "0.1", "batch_size": "64,128", "label_smoothing": "0.02:0.1"}

pytestmark = pytest.mark.slow


def of_context(study, context):
    """Number of a finished trial that sees so many days."""
    return next(t.number for t in study.finished() if t.user_attrs["context_length"] == context)


@pytest.fixture(scope="module")
def searched(tmp_path_factory, template, planned):
    """A directory with the extremes of a study that searches the window, and a version of its shorter context."""
    directory = tmp_path_factory.mktemp("windows")
    shutil.copytree(template, directory / "mlruns")
    request = replace(REQUEST, study=NAME, d_model=(8, 16), n_layers=(2, 3), **WINDOW, **TRAINING)
    plan, dataset = make_plan(request, root=planned[2])
    stores = open_stores(directory)
    trials = len(extremes(plan.grid()))
    study = open_or_create_study(stores, plan, trials=trials, data_root=planned[2], named=request.named_settings)
    runner = TrialRunner(study, dataset, device="cpu", report=lambda event: None, should_stop=lambda: False)
    for _ in range(trials):
        runner.run_next()
    register(stores, NAME, RegisterRequest(as_is=True, trial=of_context(study, 20)), quiet_console())
    return directory


@pytest.fixture
def windows(searched, tmp_path, monkeypatch):
    """Its stores, a test's own; artifacts are shared."""
    shutil.copytree(searched / "mlruns", tmp_path / "mlruns", ignore=shutil.ignore_patterns("artifacts"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return open_stores(tmp_path)


@pytest.mark.lesson("L19")
def test_trials_of_every_window_are_evaluated_on_the_same_days(windows):
    study = load_study(windows, NAME)
    held = {
        trial.spec.architecture.context_length: read_artifact(study.client, trial.run, PREDICTIONS)
        for trial in recorded_trials(study)
    }
    short, long = (pd.read_parquet(BytesIO(held[context]))[["date", "y"]] for context in (20, 60))
    pd.testing.assert_frame_equal(short, long)


@pytest.mark.lesson("L1")
@pytest.mark.lesson("L31")
def test_the_record_the_table_and_the_audit_speak_of_the_window(windows):
    study = load_study(windows, NAME)
    table = trials_table(study).iloc[0]
    assert table["label"].endswith(f"-c{table['context_length']}p{table['patch_length']}s5")
    for trial in recorded_trials(study):
        assert trial.spec.architecture.label == trial.run.data.params["architecture"]
        assert trial.run.data.metrics["hp/context_length"] == trial.spec.architecture.context_length
        training = trial.spec.training
        assert (training.dropout, training.batch_size) == (0.1, 128) and training.label_smoothing == pytest.approx(0.06)
        assert training.learning_rate == pytest.approx(10**-2.5)
    assert table["dropout"] == 0.1 and table["label_smoothing"] == pytest.approx(0.06)
    found = audit_study(study)
    assert found.invalid == found.disagreements == () and all(found.extremes.values())
    assert "smallest context_length" in str(found.extremes) and found.values["context_length"].keys() == {20, 60}
    assert {each.axis for each in influence_of_study(study, recorded_trials(study)).axes} >= {"context_length"}
    wanted = find_shortfall(study, ["context_length=20,patch_length=10,n_heads=1"])
    assert all((a.context_length, a.patch_length) == (20, 10) for a in wanted.missing)


@pytest.mark.lesson("L29")
def test_a_lost_schedule_comes_back_with_its_windows(windows, planned):
    study = load_study(windows, NAME)
    before = {t.user_attrs["spec_hash"]: t.user_attrs["result"]["label"] for t in study.finished()}
    optuna.delete_study(study_name=NAME, storage=open_storage(windows))
    again = open_or_create_study(windows, study.plan, trials=len(before), data_root=planned[2])
    again, _ = restore(again)
    assert {t.user_attrs["spec_hash"]: t.user_attrs["result"]["label"] for t in again.finished()} == before


def test_a_version_asks_for_the_days_of_its_own_window(windows):
    study = load_study(windows, NAME)
    version = find_version(study.client, f"{MODEL}/1")
    assert context_length_of(study.client, version, study.plan) == 20
    assert len(request_body(windows, f"{MODEL}/1", offline=True).bars) == tier_memory("r25") + 20
    assert 0 < predict_live(windows, f"{MODEL}/1", offline=True).probability < 1
    study.client.delete_run(version.tags[TRIAL_RUN])
    assert context_length_of(study.client, version, study.plan) == 20, "a deleted run still says it"
    del version.tags[TRIAL_RUN]
    assert context_length_of(study.client, version, study.plan) == study.plan.context_length == 60


def test_the_base_rate_of_another_question_is_of_the_rows_that_the_version_was_trained_on(windows, planned):
    study = load_study(windows, NAME)
    asked, facts = Target(horizon=3, threshold=0.01), type("Facts", (), {"trained_through": "2014-12-31"})
    rates = [base_rate_of(asked, planned[1], study.plan, facts, context) for context in (20, 60)]
    labels = asked.labels(planned[1].frame[planned[1].dates <= "2014-12-31"])
    assert rates == [pytest.approx(pd.Series(labels[context - 1 :]).mean()) for context in (20, 60)]


@pytest.mark.lesson("L19")
def test_a_walk_forward_of_either_window_forecasts_the_same_days(windows):
    study = load_study(windows, NAME)
    tests = []
    for context in (20, 60):
        opened, (subject,) = read_subjects(windows, NAME, trial=of_context(study, context))
        data = load_walk_forward_data(opened, subject, 2015, 2015)
        assert data.windows.context_length == context
        tests.append(data.folds[0].test.tolist())
    assert tests[0] == tests[1]
