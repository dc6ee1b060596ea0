from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from model.baselines import BASELINES
from model.metrics import evaluate
from search.folds.forecast import SpecForecaster
from search.tracking.tags import WALK_FORWARD_ROLE
from search.walk_forward.runs import read_days
from search.walk_forward.subject import Subject
from search.walk_forward.walk import overlap_years


def run_of(study, run_id):
    return study.client.get_run(run_id)


@pytest.mark.slow
@pytest.mark.lesson("L19")
@pytest.mark.lesson("L35")
def test_the_run_holds_pooled_predictions_years_metrics_and_data(study, subject, walk, planned):
    run = run_of(study, walk(subject))
    days = read_days(study, run)
    assert list(days.columns) == ["date", "year", "y", "p", "p_seed0", "p_seed1"]
    np.testing.assert_allclose(days["p"], days[["p_seed0", "p_seed1"]].mean(axis=1), rtol=1e-15)
    assert not (days["p_seed0"] == days["p_seed1"]).any()
    dates = planned[1].dates
    expected = dates[(dates >= "2015-01-01") & (dates < "2017-01-01")][:-1]
    assert days["date"].tolist() == expected.tolist() and (days["date"].dt.year == days["year"]).all()
    found = evaluate(days["y"].to_numpy(), days["p"].to_numpy())
    assert run.info.status == "FINISHED" and run.data.metrics["best/loss"] == found.loss
    assert run.data.metrics["best/roc_auc"] == found.roc_auc
    assert run.data.tags["walkforward.overlap_years"] == "2015, 2016"
    assert not [name for name in run.data.metrics if name.startswith("unseen/")]
    assert run.data.metrics["hp/n_params"] == subject.spec.n_params
    years = pd.read_csv(study.client.download_artifacts(run.info.run_id, "walkforward_years.csv"))
    assert years["year"].tolist() == [2015, 2016] and years["n_days"].sum() == len(days)
    for row in years.itertuples():
        year = days[days["year"] == row.year]
        assert row.loss == pytest.approx(evaluate(year["y"].to_numpy(), year["p"].to_numpy()).loss)
    inputs = {i.tags[0].value: i.dataset for i in run.inputs.dataset_inputs}
    assert set(inputs) == {"train", "evaluation"} and {d.digest for d in inputs.values()} == {planned[1].digest}


@pytest.mark.slow
@pytest.mark.lesson("L22")
def test_years_on_which_the_choice_saw_nothing_are_evaluated_apart(study, subject, walk):
    run = run_of(study, walk(subject, seeds=1, years=(2014, 2015)))
    days = read_days(study, run)
    unseen = days[days["year"] == 2014]
    assert run.data.tags["walkforward.overlap_years"] == "2015"
    assert run.data.metrics["unseen/loss"] == evaluate(unseen["y"].to_numpy(), unseen["p"].to_numpy()).loss
    assert run.data.metrics["unseen/n_days"] == len(unseen)


def test_overlap_is_every_year_with_a_validation_day(planned):
    assert overlap_years(planned[0].split, range(2010, 2017)) == [2015, 2016]


@pytest.mark.slow
@pytest.mark.lesson("L29")
@pytest.mark.parametrize("stop_after", [1, 3])
def test_an_interrupted_walk_is_gone_on_with_and_equals_an_uninterrupted_one(
    study, subject, walk, monkeypatch, stop_after
):
    done = []
    original = SpecForecaster.run

    def interrupted(self, job):
        if len(done) == stop_after:
            raise KeyboardInterrupt
        done.append(job.name)
        return original(self, job)

    with monkeypatch.context() as patch:
        patch.setattr(SpecForecaster, "run", interrupted)
        with pytest.raises(KeyboardInterrupt):
            walk(subject)
    (run,) = study.runs(WALK_FORWARD_ROLE)
    assert run.info.status == "KILLED" and run.data.tags["status.reason"] == "interrupted"
    again = []
    monkeypatch.setattr(SpecForecaster, "run", lambda self, job: again.append(job.name) or original(self, job))
    run_id = walk(subject)
    assert run_id == run.info.run_id, "the same run goes on"
    assert len(done) == stop_after and len(done) + len(again) == 6 and not set(done) & set(again)
    resumed = read_days(study, run_of(study, run_id))
    study.client.delete_run(run_id)
    uninterrupted = walk(subject)
    assert uninterrupted != run_id
    pd.testing.assert_frame_equal(read_days(study, run_of(study, uninterrupted)), resumed, check_exact=True)


@pytest.mark.slow
@pytest.mark.lesson("L34")
def test_a_failed_walk_is_failed_with_its_cause_and_keeps_what_it_did(study, subject, walk, monkeypatch):
    original = SpecForecaster.run

    def fail(self, job):
        if job.n_epochs and job.year == 2016:
            raise ValueError("no such luck")
        return original(self, job)

    with monkeypatch.context() as patch:
        patch.setattr(SpecForecaster, "run", fail)
        with pytest.raises(ValueError, match="no such luck"):
            walk(subject)
    (run,) = study.runs(WALK_FORWARD_ROLE)
    assert (run.info.status, run.data.tags["status.reason"]) == ("FAILED", "ValueError: no such luck")
    assert walk(subject) == run.info.run_id


@pytest.mark.slow
@pytest.mark.lesson("L24")
def test_a_baseline_s_walk_has_the_same_days_and_no_epochs(study, subject, walk):
    days = [
        read_days(study, run_of(study, walk(each)))
        for each in (subject, Subject(name="baseline logistic", baseline=BASELINES["logistic"]))
    ]
    pd.testing.assert_frame_equal(days[0][["date", "year", "y"]], days[1][["date", "year", "y"]])
    assert list(days[1].columns) == ["date", "year", "y", "p", "p_seed0"]


@pytest.mark.slow
def test_pooled_tickers_and_an_offset_are_walked_forward(stores, pooled, plan):
    from rich.console import Console

    from search.study.study import open_or_create_study
    from search.tracking.locks import study_lock
    from search.walk_forward.progress import WalkProgress
    from search.walk_forward.walk import load_walk_forward_data, walk_forward
    from search.workers.pool import Workforce
    from search.workers.signals import Signals

    (pooled_plan, datasets, root), split = pooled, plan.split
    plan = replace(pooled_plan, split=split)
    study = open_or_create_study(stores, plan, trials=2, data_root=root)
    subject = Subject(name="trial 0", spec=plan.spec(plan.grid().architectures[0], {}))
    data = load_walk_forward_data(study, subject, 2016, 2016)
    with Signals() as signals, study_lock(stores, "test") as lock, WalkProgress(Console(quiet=True)) as progress:
        workforce = Workforce(stores=stores, n_workers=1, device="cpu", lock=lock)
        run = run_of(study, walk_forward(study, subject, data, 1, workforce, progress, signals))
    assert {(i.tags[0].value, i.dataset.digest) for i in run.inputs.dataset_inputs} == {
        ("evaluation", datasets[0].digest),
        ("train", datasets[0].digest),
        ("train", datasets[1].digest),
    }
    assert read_days(study, run)["p"].std() > 0.01
    train = data.folds[0].train
    assert len(train) > 1.8 * (train < len(datasets[0].dates)).sum()
