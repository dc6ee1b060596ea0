from io import BytesIO

import numpy as np
import pandas as pd
import pytest
from optuna.trial import TrialState, create_trial

from model.metrics import evaluate
from model.network.checkpoint import load_checkpoint
from model.training.trainer import predict_rows
from model.windows import make_windows
from search.folds.folds import year_folds
from search.folds.forecast import Job, SpecForecaster
from search.folds.kept import FOLDS, kept_outcomes
from search.study.reconcile import reconcile
from search.study.study import open_or_create_study
from search.study.trial_run import SCORES
from search.tracking.artifacts import PREDICTIONS, checkpoint_name, fetch_artifact, read_artifact
from search.trial.parts import trial_parts
from search.trial.runner import TrialRunner
from search.trial.training import quarter_losses
from tests.search.trial.conftest import folded


def predictions(study, run):
    return pd.read_parquet(BytesIO(read_artifact(study.client, run, PREDICTIONS)))


def runner_of(study, planned, report=lambda event: None):
    return TrialRunner(study, planned[1], device="cpu", report=report, should_stop=lambda: False)


def spec_and_windows(study, dataset):
    plan = study.plan
    (trial,) = study.finished()
    space = plan.space()
    spec = plan.spec(space.decode(trial.params), {name: trial.params[name] for name in space.training})
    return spec, make_windows(dataset, spec.target, spec.split, spec.architecture.context_length)


@pytest.mark.lesson("L47")
def test_the_objective_is_the_loss_pooled_over_every_day_of_all_folds_and_the_mean_of_the_seeds(folded_trial, planned):
    study, trial, run = folded_trial
    days = predictions(study, run)
    assert list(days) == ["date", "y", "p", "p_seed0", "p_seed1"]
    assert np.array_equal(days["p"], days[["p_seed0", "p_seed1"]].to_numpy().mean(axis=1))
    _, windows = spec_and_windows(study, planned[1])
    assert np.array_equal(days["date"], planned[1].dates[windows.rows.validation])
    assert set(days["date"].dt.year) == {2015, 2016} and len(days) > 500
    assert trial.value == evaluate(days["y"].to_numpy(), days["p"].to_numpy()).loss == run.data.metrics["best/loss"]


def test_each_fold_and_each_seed_has_its_figures(folded_trial):
    study, trial, run = folded_trial
    days, metrics = predictions(study, run), run.data.metrics
    for year, own in days.groupby(days["date"].dt.year):
        found = evaluate(own["y"].to_numpy(), own["p"].to_numpy())
        assert {name: metrics[f"fold/{year}/{name}"] for name in SCORES} == {n: getattr(found, n) for n in SCORES}
    for seed in (0, 1):
        found = evaluate(days["y"].to_numpy(), days[f"p_seed{seed}"].to_numpy())
        assert metrics[f"seed/{seed}/loss"] == found.loss
        history = study.client.get_metric_history(run.info.run_id, f"fold/2016/seed/{seed}/val/loss")
        assert [each.step for each in history] == [1, 2]
    losses = {
        epoch: np.average(
            [curve(study, run, f"fold/{year}/seed/{seed}/val/loss")[epoch] for year in (2015, 2016) for seed in (0, 1)],
            weights=[(days["date"].dt.year == year).sum() for year in (2015, 2016) for _ in (0, 1)],
        )
        for epoch in (1, 2)
    }
    assert curve(study, run, "val/loss") == pytest.approx(losses)
    assert metrics["n_epochs"] == trial.user_attrs["result"]["epochs"] == 2 * 2 * 2
    assert metrics["best/epoch"] == 2 and (run.data.params["n_folds"], run.data.params["n_seeds"]) == ("2", "2")
    assert "mean of 2 seeds; 2 years, each forecast by" in run.data.tags["mlflow.note.content"]


def curve(study, run, name):
    return {each.step: each.value for each in study.client.get_metric_history(run.info.run_id, name)}


@pytest.mark.lesson("L22")
def test_a_trial_says_what_a_walk_forward_of_its_spec_says_to_the_last_bit(folded_trial, planned):
    study, _, run = folded_trial
    days = predictions(study, run)
    spec, windows = spec_and_windows(study, planned[1])
    folds = year_folds(windows, [planned[1]], spec.split, horizon=1, first_year=2015, last_year=2016)
    walked = SpecForecaster(spec, windows, folds)
    for seed in (0, 1):
        p = [walked.run(Job(year=fold.year, seed=seed, n_epochs=2)).p for fold in folds]
        assert np.array_equal(days[f"p_seed{seed}"], np.concatenate(p))


def test_the_weights_are_those_of_the_last_fold_one_a_seed(folded_trial, planned, tmp_path):
    study, _, run = folded_trial
    days = predictions(study, run)
    spec, windows = spec_and_windows(study, planned[1])
    last = trial_parts(spec, windows, [planned[1]])[-1].windows.rows.validation
    for number in (0, 1):
        own, model = load_checkpoint(fetch_artifact(study.client, run, checkpoint_name(number), tmp_path))
        assert own.seed == spec.seed + number
        assert np.array_equal(predict_rows(model, windows, last), days[f"p_seed{number}"].tail(len(last)))
    assert FOLDS not in {each.path for each in study.client.list_artifacts(run.info.run_id)}


class Killed(BaseException):
    pass


@pytest.mark.lesson("L29")
@pytest.mark.parametrize("epochs", [1, 2, 5, 8], ids=lambda epochs: f"after {epochs} epochs")
def test_a_trial_goes_on_in_its_fold_seed_and_epoch_with_the_same_result(
    epochs, folded_study, folded_trial, planned, monkeypatch
):
    expected_study, expected, run = folded_trial

    def report(event):
        if event.get("epoch") == epochs:
            raise Killed

    with pytest.raises(Killed):
        runner_of(folded_study, planned, report).run_next()
    run_id = folded_study.schedule.trials[0].user_attrs["run_id"]
    before = kept_outcomes(folded_study.client, run_id)
    assert len(before) == (epochs - 1) // 2, "what has ended is kept"
    reconcile(folded_study)
    seen = []
    runner_of(folded_study, planned, seen.append).run_next()
    (finished,) = folded_study.finished()
    trained = [event["epoch"] for event in seen if event["event"] == "epoch"]
    assert trained == list(range(epochs + 1, 9)), "nothing is trained twice"
    assert finished.value == expected.value and finished.user_attrs["run_id"] == run_id
    again = folded_study.client.get_run(run_id)
    assert predictions(folded_study, again).equals(predictions(expected_study, run))
    for year in (2015, 2016):
        name = f"fold/{year}/seed/1/val/loss"
        assert [m.step for m in folded_study.client.get_metric_history(run_id, name)] == [1, 2]
        assert len(folded_study.client.get_metric_history(run_id, f"fold/{year}/loss")) == 1
    assert curve(folded_study, again, "val/loss") == curve(expected_study, run, "val/loss")
    assert finished.intermediate_values == expected.intermediate_values
    assert not folded_study.training_state(run_id).exists()


def with_best(study, trial, less):
    """Enter a trial that was better by so much in every quarter."""
    quarters = {step: value - less for step, value in trial.intermediate_values.items()}
    own = {"params": trial.params, "distributions": trial.distributions}
    study.schedule.add_trial(create_trial(**own, value=trial.value - less, intermediate_values=quarters))


def by_quarters(study, monkeypatch):
    from search.study.pruner import FoldPruner, make_pruner

    monkeypatch.setattr("search.study.pruner.LEAST_QUARTERS", 4)
    study.schedule.pruner = make_pruner("wilcoxon")
    assert isinstance(study.schedule.pruner, FoldPruner)


@pytest.mark.parametrize(("forced", "less", "ends"), [(True, 0.2, 2), (False, 0.2, 1), (False, -0.2, 2)])
def test_a_trial_is_pruned_between_folds_if_it_is_worse_than_the_best_and_no_extreme(
    folded_study, folded_trial, planned, monkeypatch, forced, less, ends
):
    _, done, _ = folded_trial
    by_quarters(folded_study, monkeypatch)
    with_best(folded_study, done, less)
    if not forced:
        for waiting in folded_study.schedule.get_trials(states=(TrialState.WAITING,)):
            folded_study.schedule._storage.set_trial_state_values(waiting._trial_id, TrialState.FAIL)
        folded_study.schedule.enqueue_trial(done.params)
    seen = []
    runner_of(folded_study, planned, seen.append).run_next()
    assert sum(event["event"] == "epoch" for event in seen) == 4 * ends
    assert seen[-1]["event"] == ("finished" if ends == 2 else "pruned")
    if ends == 1:
        trial = folded_study.schedule.trials[-1]
        run = folded_study.client.get_run(trial.user_attrs["run_id"])
        assert (trial.state, run.data.tags["status.reason"]) == (TrialState.PRUNED, "pruned")
        assert not folded_study.training_state(run.info.run_id).exists()


def test_one_fold_and_one_seed_report_quarters_and_no_epochs(stores, planned):
    plan = folded(planned[0], 1, 1, max_epochs=2)
    study = open_or_create_study(stores, plan, trials=1, data_root=planned[2])
    runner_of(study, planned).run_next()
    (trial,) = study.finished()
    assert sorted(trial.intermediate_values) == [2016 * 4 + quarter for quarter in range(4)]
    run = study.client.get_run(trial.user_attrs["run_id"])
    assert {each.path for each in study.client.list_artifacts(run.info.run_id)} >= {"best.safetensors", "spec.json"}
    assert list(predictions(study, run)) == ["date", "y", "p"]


def test_quarters_are_paired_days_of_one_year_less_what_the_base_rate_loses():
    dates = pd.bdate_range("2016-01-01", "2017-12-31")
    rng = np.random.default_rng(0)
    days = pd.DataFrame({"date": dates, "y": rng.integers(0, 2, len(dates)).astype(float), "p": rng.random(len(dates))})
    found = quarter_losses(days, 0.3)
    assert list(found) == list(range(2016 * 4, 2018 * 4))
    sizes = days.groupby(days["date"].dt.to_period("Q")).size().to_numpy()
    base = evaluate(days["y"].to_numpy(), np.full(len(days), 0.3)).loss
    whole = evaluate(days["y"].to_numpy(), days["p"].to_numpy()).loss - base
    assert np.average(list(found.values()), weights=sizes) == pytest.approx(whole)
    assert all(value == 0 for value in quarter_losses(days.assign(p=0.3), 0.3).values())
