from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mlflow.entities import Param

from model.baselines import BASELINES
from pipeline.exceptions import InputError, RecordError, SealedError, StoreError
from pipeline.splits.splits import MIN_EVALUATION_DAYS
from search.evidence.forecasts import PREDICTIONS, load_forecasts
from search.results.trial_runs import recorded_trials
from search.study.restore import restore
from search.tracking.tags import RECORD_STATE, TRIAL_NUMBER
from search.trial.baselines import log_baselines

QUICK = {name: BASELINES[name] for name in ("base_rate", "logistic")}


@pytest.fixture
def study(make_trained, monkeypatch):
    """Two finished trials and two baselines."""
    monkeypatch.setattr("search.trial.baselines.BASELINES", QUICK)
    monkeypatch.setattr("search.evidence.forecasts.BASELINES", QUICK)
    study = make_trained(3, 2)
    log_baselines(study)
    return study


def predictions(study, run_id):
    run = study.client.get_run(run_id)
    return Path(run.info.artifact_uri.removeprefix("file://")) / PREDICTIONS


def rewrite(study, run_ids, change):
    for run_id in run_ids:
        path = predictions(study, run_id)
        change(pd.read_parquet(path)).to_parquet(path, index=False)


@pytest.mark.lesson("L19")
def test_every_model_is_scored_on_the_same_days(study):
    found = load_forecasts(study)
    assert [name.split()[:2] for name in found.names[:2]] == [["trial", "0"], ["trial", "1"]]
    assert found.names[2:] == ("baseline base_rate", "baseline logistic")
    assert found.roles == ("trial", "trial", "baseline", "baseline")
    assert found.horizon == study.plan.target.horizon
    assert len(found.dates_D) >= MIN_EVALUATION_DAYS
    assert found.dates_D.is_monotonic_increasing and found.dates_D[-1] < pd.Timestamp(study.plan.split.test_start)
    for row, run_id in enumerate(found.run_ids):
        run = study.client.get_run(run_id)
        assert found.losses_MD[row].mean() == pytest.approx(run.data.metrics["best/loss"])
        logged = run.data.params.get("n_params")
        assert found.n_params[row] == (None if logged is None else int(logged))


def test_rows_are_found_by_role_and_by_name(study):
    found = load_forecasts(study)
    trials, baselines = found.of_role("trial"), found.of_role("baseline")
    assert trials.names + baselines.names == found.names
    assert np.array_equal(baselines.p_MD, found.p_MD[2:])
    assert found.row("baseline logistic") == 3
    best = found.best("baseline")
    assert found.losses_MD[best].mean() == baselines.losses_MD.mean(axis=1).min()
    with pytest.raises(InputError, match=r"model must be one of trial 0 .*, got 'trial 9'"):
        found.row("trial 9")
    with pytest.raises(InputError, match="at least one trial, got none; run patchscale hpo"):
        baselines.best("trial")
    assert not len(baselines.of_role("trial").names)


@pytest.mark.slow
def test_invalid_foreign_unfinished_and_repeated_runs_stay_out(study, run_trials, alter):
    study = run_trials(study, 1)
    first, second, third = recorded_trials(study)
    study.client.set_tag(first.run_id, RECORD_STATE, "invalid: changed d_model")
    twin = study.client.create_run(study.experiment_id, tags={**second.run.data.tags, TRIAL_NUMBER: "7"})
    study.client.log_batch(twin.info.run_id, params=[Param(k, v) for k, v in second.run.data.params.items()])
    study.client.set_terminated(twin.info.run_id, "FINISHED")
    alter(third.run_id, "seed", "17")
    alter(third.run_id, "spec_hash", "x")
    study.client.create_run(study.experiment_id, tags={**second.run.data.tags, TRIAL_NUMBER: "8"})
    assert load_forecasts(study).of_role("trial").run_ids == (second.run_id,)


def test_the_newest_baseline_of_the_plan_s_settings_counts(study):
    before = load_forecasts(study).of_role("baseline")
    old = study.client.get_run(before.run_ids[1])
    for changed in ({"settings_hash": "other"}, {}):
        run = study.client.create_run(study.experiment_id, tags=old.data.tags)
        params = {**old.data.params, **changed}
        study.client.log_batch(run.info.run_id, params=[Param(k, v) for k, v in params.items()])
        study.client.log_artifact(run.info.run_id, str(predictions(study, old.info.run_id)), "predictions")
        study.client.set_terminated(run.info.run_id, "FINISHED")
    after = load_forecasts(study).of_role("baseline")
    assert after.names == before.names
    assert after.run_ids == (before.run_ids[0], run.info.run_id)


@pytest.mark.lesson("L39")
@pytest.mark.parametrize(("row", "remedy"), [(0, "start a new study"), (2, "let patchscale baselines .* log it anew")])
def test_evidence_without_a_finished_model_s_predictions_is_refused_by_name(study, row, remedy):
    whole = load_forecasts(study)
    path = predictions(study, whole.run_ids[row])
    path.unlink()
    with pytest.raises(StoreError, match=rf"{PREDICTIONS} of {whole.names[row]} is gone.*or {remedy}") as found:
        load_forecasts(study)
    assert whole.run_ids[row] in str(found.value) and str(path) in str(found.value)
    assert found.value.exit_code == 2 and "\n" not in str(found.value)


@pytest.mark.lesson("L39")
def test_a_finished_trial_whose_run_was_deleted_is_refused_until_it_is_restored(study):
    whole = load_forecasts(study)
    study.client.delete_run(whole.run_ids[0])
    with pytest.raises(StoreError, match=rf"run {whole.run_ids[0]} of trial 0 is not there .*; patchscale reconcile"):
        load_forecasts(study)
    restore(study)
    assert load_forecasts(study).run_ids == whole.run_ids


def test_a_baseline_that_was_logged_anew_takes_the_place_of_one_without_predictions(study):
    whole = load_forecasts(study)
    again = study.client.create_run(study.experiment_id, tags=study.client.get_run(whole.run_ids[2]).data.tags)
    old = study.client.get_run(whole.run_ids[2])
    study.client.log_batch(again.info.run_id, params=[Param(k, v) for k, v in old.data.params.items()])
    study.client.set_terminated(again.info.run_id, "FINISHED")
    assert load_forecasts(study).run_ids == whole.run_ids, "the newest one keeps nothing"


@pytest.mark.slow
@pytest.mark.lesson("L18")
@pytest.mark.lesson("L19")
@pytest.mark.lesson("L22")
def test_sealed_too_few_or_other_days_are_refused(study):
    run_ids = load_forecasts(study).run_ids
    sealed = pd.Timestamp(study.plan.split.test_start)
    last = run_ids[-1:]
    cases = [
        (run_ids, lambda t: t.assign(date=[*t["date"][:-1], sealed]), SealedError, f"from {sealed.date()} on"),
        (run_ids, lambda t: t.iloc[: MIN_EVALUATION_DAYS - 1], InputError, "at least 200 days, got 199"),
        (last, lambda t: t.iloc[1:], RecordError, "another date for baseline logistic"),
        (last, lambda t: t.assign(y=1 - t["y"]), RecordError, "another y for baseline logistic"),
        (last, lambda t: t.assign(p=t["p"] + 1), RecordError, "probabilities must be between 0 and 1"),
        (last, lambda t: t.assign(p=float("nan")), RecordError, "probabilities must be between 0 and 1"),
    ]
    for changed, change, error, words in cases:
        kept = {run_id: predictions(study, run_id).read_bytes() for run_id in changed}
        rewrite(study, changed, change)
        with pytest.raises(error, match=words):
            load_forecasts(study)
        for run_id, content in kept.items():
            predictions(study, run_id).write_bytes(content)
    assert load_forecasts(study).run_ids == run_ids


def test_a_study_without_forecasts_says_so(make_study):
    with pytest.raises(InputError, match="must have finished trials or baselines with predictions, got none"):
        load_forecasts(make_study(3))


@pytest.mark.slow
def test_another_plan_s_trials_do_not_enter(study):
    split = replace(study.plan.split, test_end=date(2018, 11, 30))
    other = replace(study, plan=replace(study.plan, split=split))
    with pytest.raises(InputError, match="got none"):
        load_forecasts(other)
