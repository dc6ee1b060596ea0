import json
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch

from model.baselines import BASELINES
from model.training.refit import refit
from model.training.trainer import Trainer, build_model, predict_rows
from model.windows import make_windows
from pipeline.exceptions import TrainingError
from pipeline.splits.splits import SplitRows
from search.folds.folds import year_folds
from search.folds.forecast import BaselineForecaster, Job, Outcome, SpecForecaster
from search.walk_forward.subject import Subject
from search.walk_forward.walk import choosing


def windows_and_folds(plan, datasets, first=2014, last=2016):
    own, *pooled = datasets
    windows = make_windows(own, plan.target, plan.split, 60, pooled=pooled)
    return windows, year_folds(windows, datasets, plan.split, horizon=1, first_year=first, last_year=last)


def changed_after(windows, fold, n_own):
    """Windows with every label turned that is not trained on, and every feature changed after the year."""
    y_host_D = windows.y_host_D.copy()
    others = np.setdiff1d(np.arange(len(y_host_D)), fold.train)
    y_host_D[others] = 1 - y_host_D[others]
    x_DF = windows.x_DF.clone()
    x_DF[fold.test[-1] + 1 : n_own] += 5.0
    return replace(
        windows,
        y_host_D=y_host_D,
        y_D=torch.from_numpy(y_host_D),
        x_DF=x_DF,
        x_NTF=x_DF.unfold(0, windows.context_length, 1).transpose(1, 2),
    )


def timeless(outcome):
    return outcome.n_epochs, outcome.p


@pytest.mark.slow
@pytest.mark.lesson("L11")
@pytest.mark.lesson("L22")
@pytest.mark.parametrize("offset", ["none", "logistic"])
def test_a_spec_s_forecasts_know_nothing_after_their_training_ends(pooled, plan, offset):
    plan, datasets = replace(pooled[0], split=plan.split), pooled[1]
    plan = replace(plan, max_epochs=2, patience=2, offset=offset)
    spec = plan.spec(plan.grid().architectures[0], {"learning_rate": 1e-2})
    windows, folds = windows_and_folds(plan, datasets)
    job = Job(year=2014, seed=0, n_epochs=2)
    as_it_was = SpecForecaster(spec, windows, folds).run(job)
    changed = changed_after(windows, folds[0], len(datasets[0].dates))
    assert timeless(SpecForecaster(spec, changed, folds).run(job)) == timeless(as_it_was)
    y_host_D = windows.y_host_D.copy()
    y_host_D[folds[0].train[-3:]] = 1 - y_host_D[folds[0].train[-3:]]
    seen = replace(windows, y_host_D=y_host_D, y_D=torch.from_numpy(y_host_D))
    assert SpecForecaster(spec, seen, folds).run(job).p != as_it_was.p, "the last training rows are read"


@pytest.mark.lesson("L22")
def test_the_number_of_epochs_knows_nothing_of_the_year(planned, plan, spec):
    dataset = planned[1]
    windows, folds = windows_and_folds(plan, [dataset])
    job = Job(year=2014, seed=0)
    chosen = SpecForecaster(spec, windows, folds).run(job)
    assert chosen.p == () and 1 <= chosen.n_epochs <= 3
    assert SpecForecaster(spec, changed_after(windows, folds[0], len(dataset.dates)), folds).run(job).n_epochs == (
        chosen.n_epochs
    )
    rows = SplitRows(train=folds[0].inner_train, validation=folds[0].inner_validation, test=folds[0].test[:0])
    inner = replace(windows, rows=rows, train_rows=folds[0].inner_train)
    trainer = Trainer(spec, inner, build_model(spec, inner))
    losses = [result.validation.loss for result in trainer.epochs()]
    assert chosen.n_epochs == int(np.argmin(losses)) + 1


@pytest.mark.lesson("L22")
@pytest.mark.parametrize("name", ["base_rate", "har_logistic", "logistic"])
def test_a_baseline_s_forecasts_know_nothing_after_their_training_ends(pooled, plan, name):
    plan, datasets = replace(pooled[0], split=plan.split), pooled[1]
    windows, folds = windows_and_folds(plan, datasets)
    job = Job(year=2014, seed=0, n_epochs=1)
    changed = changed_after(windows, folds[0], len(datasets[0].dates))
    forecasters = [BaselineForecaster(BASELINES[name], each, folds, datasets, horizon=1) for each in (windows, changed)]
    assert not choosing(Subject(name=name, baseline=BASELINES[name]), [2014], 0)
    one, other = (timeless(each.run(job)) for each in forecasters)
    assert one == other and len(one[1]) == len(folds[0].test)


def test_a_forecast_is_the_refit_on_all_rows_before_the_year(planned, plan, spec):
    dataset = planned[1]
    windows, folds = windows_and_folds(plan, [dataset])
    forecaster = SpecForecaster(spec, windows, folds)
    found = {seed: forecaster.run(Job(year=2016, seed=seed, n_epochs=2)) for seed in (0, 1)}
    for seed, outcome in found.items():
        model = refit(spec, windows, folds[-1].train, n_epochs=2, seed=seed)
        assert outcome.p == tuple(predict_rows(model, windows, folds[-1].test))
    assert not set(found[0].p) & set(found[1].p), "seeds differ"


def test_an_outcome_survives_json_bit_for_bit():
    outcome = Outcome(n_epochs=3, seconds=0.1, p=tuple(np.random.default_rng(0).random(50).tolist()))
    assert Outcome.from_dict(json.loads(json.dumps(asdict(outcome)))) == outcome


@pytest.mark.lesson("L25")
def test_what_is_not_finite_fails(planned, plan, spec):
    dataset = planned[1]
    windows, folds = windows_and_folds(plan, [dataset])
    broken = replace(spec, training=replace(spec.training, learning_rate=1e38, warmup_fraction=0.0))
    with pytest.raises(TrainingError, match="must be finite"):
        SpecForecaster(broken, windows, folds).run(Job(year=2014, seed=0, n_epochs=1))
