import json
import sys
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.utils.file_utils import local_file_uri_to_path
from optuna.trial import TrialState

from model.metrics import evaluate
from model.network.checkpoint import load_checkpoint
from model.spec.spec import Spec
from model.training import host_memory
from model.training.trainer import predict_rows
from model.windows import make_windows
from pipeline.exceptions import StoreLostError, TrainingError
from search.results.trials_table import trials_table
from search.study.reconcile import reconcile
from search.study.study import open_or_create_study
from search.trial.runner import TrialRunner
from tests.apple_double import NAME, apple
from tests.disk import filled, mount, unmount

BLOCK = 2**28


@pytest.fixture
def study(stores, planned):
    plan, _, root = planned
    return open_or_create_study(stores, plan, trials=2, data_root=root)


@pytest.fixture
def events():
    return []


@pytest.fixture
def runner(study, planned, events):
    return TrialRunner(study, planned[1], device="cpu", report=events.append, should_stop=lambda: False)


@pytest.mark.lesson("L29")
@pytest.mark.parametrize("full", ["training state", "artifacts"])
def test_a_trial_that_meets_a_full_disk_is_interrupted_and_goes_on_when_there_is_room(study, runner, events, full):
    artifacts = Path(local_file_uri_to_path(study.client.get_experiment(study.experiment_id).artifact_location))
    place = {"training state": study.training_state("any").parent, "artifacts": artifacts}[full]
    place.mkdir(parents=True, exist_ok=True)
    mount(place, "size=8k")
    try:
        with filled(place), pytest.raises(StoreLostError, match=r"(No space left|os error 28).*; free space"):
            runner.run_next()
    finally:
        unmount(place)
    (trial,) = study.schedule.get_trials(states=[TrialState.RUNNING])
    assert study.training_state(trial.user_attrs["run_id"]).exists() == (full == "artifacts")
    reconcile(study)
    runner.run_next()
    (done,) = study.finished()
    assert done.user_attrs["run_id"] == trial.user_attrs["run_id"], "the same run goes on"
    assert "failed" not in [each["event"] for each in events]
    ended = [each.user_attrs["end"] for each in study.schedule.get_trials(states=[TrialState.FAIL])]
    assert ended == ["interrupted"]
    resumed = study.client.get_run(done.user_attrs["run_id"]).data.tags.get("resume.after_epoch")
    assert resumed == ("1" if full == "artifacts" else None)


@pytest.mark.lesson("L35")
def test_a_finished_trial_leaves_its_whole_record(study, runner, planned, events, tmp_path):
    runner.run_next()
    (trial,) = study.finished()
    run = study.client.get_run(trial.user_attrs["run_id"])
    metrics, tags = run.data.metrics, run.data.tags
    assert run.info.status == "FINISHED"
    assert tags["mlflow.parentRunId"] == study.run_id
    assert tags["trial.number"] == "0"
    assert Spec.from_params(run.data.params).hash == trial.user_attrs["spec_hash"]
    assert {"train/loss", "val/loss", "val/roc_auc", "val/brier", "train/learning_rate"} <= set(metrics)
    assert {"train/samples_per_second", "hp/n_params", "best/prediction_std", "best/skill"} <= set(metrics)
    assert {(i.tags[0].value, i.dataset.digest) for i in run.inputs.dataset_inputs} == {
        ("train", planned[1].digest),
        ("validation", planned[1].digest),
        ("test", planned[1].digest),
    }
    assert [e["event"] for e in events] == ["started", "epoch", "finished"]
    found = study.client.search_runs([study.experiment_id], f"dataset.digest = '{planned[1].digest}'")
    assert run.info.run_id in {r.info.run_id for r in found}


@pytest.mark.lesson("L21")
@pytest.mark.lesson("L18")
def test_reported_metrics_are_those_of_the_stored_checkpoint(study, runner, planned, tmp_path):
    runner.run_next()
    (trial,) = study.finished()
    run_id = trial.user_attrs["run_id"]
    files = Path(
        mlflow.artifacts.download_artifacts(
            run_id=run_id, dst_path=str(tmp_path), tracking_uri=study.client.tracking_uri
        )
    )
    spec, model = load_checkpoint(files / "best.safetensors")
    assert spec == Spec.from_params(json.loads((files / "spec.json").read_text()))
    stored = pd.read_parquet(files / "predictions" / "val.parquet")
    windows = make_windows(planned[1], spec.target, spec.split, spec.architecture.context_length)
    assert np.array_equal(stored["p"], predict_rows(model, windows, windows.rows.validation))
    evaluation = evaluate(stored["y"].to_numpy(), stored["p"].to_numpy())
    metrics = study.client.get_run(run_id).data.metrics
    assert metrics["best/loss"] == evaluation.loss == trial.value
    rate = stored["y"].mean()
    assert metrics["best/base_rate_loss"] == pytest.approx(-rate * np.log(rate) - (1 - rate) * np.log(1 - rate))
    assert stored["date"].between("2015-01-01", "2016-12-31").all()


@pytest.mark.slow
def test_forced_and_sampled_trials_leave_the_same_record(study, runner):
    for _ in range(7):
        runner.run_next()
    forced, sampled = study.finished()[0], study.finished()[6]
    runs = [study.client.get_run(t.user_attrs["run_id"]) for t in (forced, sampled)]
    assert "forced" in runs[0].data.tags
    assert "forced" not in runs[1].data.tags
    assert set(runs[0].data.params) == set(runs[1].data.params)
    assert set(forced.params) == set(sampled.params)
    assert forced.distributions == sampled.distributions
    assert set(forced.user_attrs) - {"forced"} == set(sampled.user_attrs)


@pytest.mark.slow
@pytest.mark.lesson("L25")
def test_a_failing_trial_is_failed_in_both_stores_with_its_traceback(study, runner, events, monkeypatch):
    def diverge(*arguments):
        raise TrainingError("loss must be finite, got nan")
        yield

    monkeypatch.setattr("search.trial.training.Trainer.epochs", diverge)
    runner.run_next()
    (trial,) = study.schedule.get_trials(states=(TrialState.FAIL,))
    run = study.client.get_run(trial.user_attrs["run_id"])
    assert run.info.status == "FAILED"
    assert "loss must be finite" in trial.user_attrs["error"]
    assert [a.path for a in study.client.list_artifacts(run.info.run_id)] == ["traceback.txt"]
    assert events[-1]["event"] == "failed"


def test_a_stopped_trial_is_killed_not_failed(study, planned, events):
    stopping = TrialRunner(study, planned[1], device="cpu", report=events.append, should_stop=lambda: True)
    stopping.run_next()
    (trial,) = study.schedule.get_trials(states=(TrialState.FAIL,))
    assert trial.user_attrs["end"] == "interrupted"
    assert study.client.get_run(trial.user_attrs["run_id"]).info.status == "KILLED"


@pytest.mark.slow
@pytest.mark.lesson("L33")
def test_memory_is_estimated_and_measured_on_every_run(study, planned):
    def take_a_block_and_go_on():
        return bool(np.zeros(BLOCK, dtype=np.uint8).fill(0))

    TrialRunner(
        study, planned[1], device="cpu", report=lambda event: None, should_stop=take_a_block_and_go_on
    ).run_next()
    (trial,) = study.finished()
    metrics = study.client.get_run(trial.user_attrs["run_id"]).data.metrics
    assert metrics["memory/estimated_bytes"] > 2**20
    assert metrics["execution/micro_batch"] == 128
    assert 0 < metrics["attention/entropy"] <= 1 + 1e-6
    if sys.platform == "linux":
        assert BLOCK / 2 < metrics["memory/peak_bytes"] < BLOCK * 8


@pytest.mark.lesson("L33")
def test_a_trial_that_can_not_fit_fails_before_it_trains_with_both_figures(study, runner, monkeypatch):
    monkeypatch.setattr("model.training.execution.available_memory", lambda device: 2**12)
    runner.run_next()
    (trial,) = study.schedule.get_trials(states=(TrialState.FAIL,))
    assert "must fit in memory, got an estimate of" in trial.user_attrs["error"]
    assert "train/loss" not in study.client.get_run(trial.user_attrs["run_id"]).data.metrics


@pytest.mark.slow
@pytest.mark.lesson("L31")
def test_a_spec_that_is_there_already_is_not_trained_again(study, runner, events):
    runner.run_next()
    (first,) = study.finished()
    study.schedule.enqueue_trial(first.params)
    while study.schedule.get_trials(states=(TrialState.WAITING,)):
        runner.run_next()
    reused = [t for t in study.schedule.trials if "reuses" in t.user_attrs]
    assert [(t.user_attrs["reuses"], t.value, t.state) for t in reused] == [(0, first.value, TrialState.COMPLETE)]
    assert len(study.finished()) == 6, "a reused result does not count towards the target"
    assert "run_id" not in reused[0].user_attrs
    assert len(study.client.search_runs([study.experiment_id], "tags.`run.role` = 'trial'")) == 6
    assert {"event": "reused", "number": reused[0].number, "earlier": 0} in events
    assert list(trials_table(study)["state"]).count("finished") == 6
    specs = [t.user_attrs["spec_hash"] for t in study.finished()]
    assert len(set(specs)) == len(specs)


@pytest.mark.slow
def test_a_pruned_trial_is_killed_says_so_and_does_not_count(study, runner, events, monkeypatch):
    monkeypatch.setattr("optuna.Trial.should_prune", lambda self: True)
    for _ in range(8):
        runner.run_next()
    trials = study.schedule.trials
    assert [t.state for t in trials[:6]] == [TrialState.COMPLETE] * 6, "extremes are never pruned"
    assert [t.state for t in trials[6:]] == [TrialState.PRUNED] * 2
    assert len(study.finished()) == 6
    for trial in trials[6:]:
        run = study.client.get_run(trial.user_attrs["run_id"])
        assert (run.info.status, run.data.tags["status.reason"]) == ("KILLED", "pruned")
        assert not study.training_state(run.info.run_id).exists()
    assert [e["event"] for e in events].count("pruned") == 2
    assert list(trials_table(study)["state"]).count("pruned") == 2


@pytest.mark.slow
@pytest.mark.lesson("L33")
def test_a_trial_says_on_what_it_was_trained_and_what_was_not_measured_there(study, planned, events, monkeypatch):
    told = {"report": events.append, "should_stop": lambda: True}
    TrialRunner(study, planned[1], device="cpu", **told).run_next()
    (trial,) = study.schedule.get_trials(states=(TrialState.FAIL,))
    first = study.client.get_run(trial.user_attrs["run_id"])
    assert (first.data.tags["device"], first.data.tags["device.name"]) == ("cpu", host_memory.processor())
    reconcile(study)
    with apple(monkeypatch) as asked:
        TrialRunner(study, planned[1], device="auto", **{**told, "should_stop": lambda: False}).run_next()
    (trial,) = study.finished()
    run = study.client.get_run(trial.user_attrs["run_id"])
    assert run.info.run_id == first.info.run_id and run.data.tags["resume.after_epoch"] == "1"
    assert (run.data.tags["device"], run.data.tags["device.name"]) == ("mps", NAME)
    assert "memory/estimated_bytes" in run.data.metrics and "memory/peak_bytes" not in run.data.metrics
    assert "recommended_max_memory" in asked
