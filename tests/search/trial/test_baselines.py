from dataclasses import replace
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.entities import Param

from model.baselines import BASELINES, Boosting
from model.metrics import evaluate
from model.spec.spec import flatten
from model.windows import make_windows
from search.cli import main
from search.folds.folds import year_folds
from search.folds.forecast import BaselineForecaster, Job
from search.study.study import open_or_create_study
from search.tracking.tags import COLOUR, NOTE, PARENT, REASON, RECORD_STATE, STUDY
from search.trial.baselines import GREY, SETTINGS_HASH, SKILL_OVER, baseline_params, log_baselines
from search.trial.runner import TrialRunner

QUICK = {name: BASELINES[name] for name in ("base_rate", "volatility_logistic", "logistic")}


@pytest.fixture
def study(stores, planned):
    plan, _, root = planned
    return open_or_create_study(stores, plan, trials=2, data_root=root)


@pytest.fixture
def quick(monkeypatch):
    """Three baselines, for tests of the record."""
    monkeypatch.setattr("search.trial.baselines.BASELINES", QUICK)


def runs(study, role="baseline"):
    return study.client.search_runs([study.experiment_id], f"tags.`run.role` = '{role}'")


def predictions(study, run_id, directory):
    path = mlflow.artifacts.download_artifacts(
        run_id=run_id,
        artifact_path="predictions/val.parquet",
        dst_path=str(directory),
        tracking_uri=study.client.tracking_uri,
    )
    return pd.read_parquet(Path(path))


@pytest.mark.slow
@pytest.mark.lesson("L24")
@pytest.mark.lesson("L35")
def test_every_baseline_is_a_run_on_the_days_of_the_trials(study, planned, monkeypatch, tmp_path):
    short = {**BASELINES, "boosting": Boosting(max_iter=20, n_folds=2)}
    monkeypatch.setattr("search.trial.baselines.BASELINES", short)
    TrialRunner(study, planned[1], device="cpu", report=lambda event: None, should_stop=lambda: False).run_next()
    (before,) = runs(study, "trial")
    log_baselines(study)
    (trial,) = runs(study, "trial")
    days = predictions(study, trial.info.run_id, tmp_path / "trial")
    found = {run.data.params["baseline"]: run for run in runs(study)}
    assert set(found) == set(BASELINES)
    for name, run in found.items():
        tags, metrics = run.data.tags, run.data.metrics
        assert run.info.status == "FINISHED"
        assert tags[PARENT] == study.run_id and tags[STUDY] == study.plan.study
        assert tags[RECORD_STATE] == "valid"
        for part in (short[name], study.plan.data, study.plan.target, study.plan.split):
            prefix = "baseline." if part is short[name] else ""
            assert {f"{prefix}{k}": v for k, v in flatten(part)}.items() <= run.data.params.items()
        stored = predictions(study, run.info.run_id, tmp_path / name)
        assert stored.dtypes.to_dict() == days.dtypes.to_dict()
        pd.testing.assert_frame_equal(stored[["date", "y"]], days[["date", "y"]])
        assert metrics["best/loss"] == evaluate(stored["y"].to_numpy(), stored["p"].to_numpy()).loss
        assert {i.tags[0].value for i in run.inputs.dataset_inputs} == {"train", "validation", "test"}
        assert {i.dataset.digest for i in run.inputs.dataset_inputs} == {planned[1].digest}
    shared = {name for name in trial.data.metrics if name.startswith("best/")} - {"best/epoch", SKILL_OVER}
    assert shared - set(found["logistic"].data.metrics) <= {"best/precision_30", "best/precision_50"}
    assert "chosen/c" in found["logistic"].data.metrics and "chosen/max_iter" in found["boosting"].data.metrics
    best = min(run.data.metrics["best/loss"] for run in found.values())
    carried = study.client.get_run(trial.info.run_id).data
    assert carried.metrics[SKILL_OVER] == pytest.approx(1 - trial.data.metrics["best/loss"] / best)
    assert found[carried.tags["baseline.best"]].data.metrics["best/loss"] == best
    named = f"best baseline on the same days: {carried.tags['baseline.best']}, log loss {best:.4f}; skill over it "
    assert named in carried.tags[NOTE] and "not logged yet" in before.data.tags[NOTE]
    assert all("\n- attention is" in note for note in (carried.tags[NOTE], before.data.tags[NOTE]))
    assert {run.info.run_name for run in found.values()} == {f"baseline {name}" for name in found}
    assert all("one of them" in run.data.tags[NOTE] and run.data.tags[COLOUR] == GREY for run in found.values())
    (held,) = [each for each in study.client.list_artifacts(trial.info.run_id, "predictions") if "preview" in each.path]
    assert 0 < held.file_size < 3_000


def test_twice_adds_nothing_and_another_setting_adds_one(study, quick, monkeypatch):
    first = log_baselines(study)
    monkeypatch.setattr("search.study.study.load_dataset", lambda *arguments: pytest.fail("data were read"))
    second = log_baselines(study)
    monkeypatch.undo()
    assert [each.reused for each in first + second] == [False] * 3 + [True] * 3
    assert [each.run_id for each in first] == [each.run_id for each in second]
    assert [each.metrics for each in first] == [each.metrics for each in second]
    assert len(runs(study)) == 3


def test_the_hash_is_over_every_setting(study):
    plain = baseline_params(study, Boosting())
    assert baseline_params(study, Boosting(max_iter=7))[SETTINGS_HASH] != plain[SETTINGS_HASH]
    later = replace(study, plan=replace(study.plan, target=replace(study.plan.target, horizon=2)))
    assert baseline_params(later, Boosting())[SETTINGS_HASH] != plain[SETTINGS_HASH]
    assert len({baseline_params(study, each)[SETTINGS_HASH] for each in BASELINES.values()}) == len(BASELINES)


def test_a_failed_baseline_is_failed_with_its_cause_and_tried_again(study, quick, monkeypatch):
    def fail(self, *arguments):
        raise ValueError("no such luck")

    with monkeypatch.context() as patch:
        patch.setattr("model.baselines.features.Logistic.fit", fail)
        logged = {each.name: each for each in log_baselines(study)}
    assert logged["logistic"].error == "ValueError: no such luck"
    assert not logged["base_rate"].error
    run = study.client.get_run(logged["logistic"].run_id)
    assert (run.info.status, run.data.tags[REASON]) == ("FAILED", "ValueError: no such luck")
    assert [a.path for a in study.client.list_artifacts(run.info.run_id)] == ["traceback.txt"]
    again = {each.name: (each.reused, each.error) for each in log_baselines(study)}
    assert again == {"base_rate": (True, ""), "volatility_logistic": (True, ""), "logistic": (False, "")}


@pytest.mark.slow
def test_an_interrupted_one_is_killed_and_a_stale_one_closed(study, quick, monkeypatch):
    def stop(self, *arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("model.baselines.baseline.BaseRate.fit", stop)
    with pytest.raises(KeyboardInterrupt):
        log_baselines(study)
    (run,) = runs(study)
    assert run.info.status == "KILLED"
    study.client.update_run(run.info.run_id, status="RUNNING")
    monkeypatch.undo()
    log_baselines(study)
    assert study.client.get_run(run.info.run_id).info.status == "KILLED"


@pytest.mark.lesson("L3")
def test_a_record_that_does_not_read_back_is_failed(study, quick, monkeypatch):
    monkeypatch.setattr("mlflow.entities.Param", lambda name, value: Param(name, value + "?"))
    logged = log_baselines(study)
    assert all("must read back" in each.error for each in logged)
    assert {run.info.status for run in runs(study)} == {"FAILED"}


@pytest.mark.slow
def test_the_command_prints_the_table_and_says_what_it_reused(study, planned, quick, capsys):
    TrialRunner(study, planned[1], device="cpu", report=lambda event: None, should_stop=lambda: False).run_next()
    outputs = []
    for _ in range(2):
        with pytest.raises(SystemExit) as ended:
            main(["baselines", study.plan.study])
        assert ended.value.code == 0
        outputs.append(capsys.readouterr().out)
    assert "3 baselines run, 0 already there" in outputs[0]
    assert "0 baselines run, 3 already there with the same settings" in outputs[1]
    (trial,) = study.finished()
    for name in (*QUICK, f"best trial {trial.user_attrs['result']['label']}"):
        assert name in outputs[1]
    assert f"{trial.value:.4f}" in outputs[1]
    losses = [run.data.metrics["best/loss"] for run in runs(study)]
    assert np.isfinite(losses).all() and all(f"{loss:.4f}" in outputs[1] for loss in losses)


@pytest.mark.lesson("L22")
def test_where_trials_have_folds_a_baseline_is_fitted_anew_before_each_year(folded_record, quick, planned, tmp_path):
    _, study = folded_record
    spec_windows = make_windows(planned[1], study.plan.target, study.plan.split, study.plan.context_length)
    logged = {each.name: each for each in log_baselines(study)}
    folds = year_folds(spec_windows, [planned[1]], study.plan.split, horizon=1, first_year=2015, last_year=2016)
    for name, each in logged.items():
        walked = BaselineForecaster(QUICK[name], spec_windows, folds, [planned[1]], horizon=1)
        p = np.concatenate([walked.run(Job(year=fold.year, seed=0, n_epochs=1)).p for fold in folds])
        held = predictions(study, each.run_id, tmp_path / name)
        assert np.array_equal(held["p"], p)
    assert baseline_params(study, QUICK["logistic"])["n_folds"] == "2"
