"""Does the whole find an edge that is there, and none that is not?  Markets whose truth is known."""

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest
import torch

from model.baselines import BASELINES, fit_baseline
from model.metrics import evaluate
from model.training.trainer import Trainer, build_model, predict_rows
from model.windows import make_windows
from pipeline.calendars import sessions
from search.evidence.bootstrap import metric_intervals, resampled_days
from search.evidence.forecasts import load_forecasts
from search.evidence.selection import selection_corrected
from search.registry.register import RegisterRequest, register
from search.registry.versions.aliases import champion_of
from search.study.make_plan import make_plan
from search.study.request import HpoRequest
from search.study.study import open_or_create_study
from search.trial.runner import TrialRunner
from search.workers.progress import make_console

LAG = 10
"""Days between the volume that decides and the day on which it decides: no last-day feature shows it."""


def planted_market(strength, *, first=2000, last=2016, seed=1):
    """Bars whose next high reaches +1 % with a probability that only the volume ten days before decides.

    Returns the bars in Yahoo's form, and for each day the true probability of its label.
    """
    days = sessions("XNYS", date(first, 1, 1), date(last, 12, 31))
    generator, n = np.random.default_rng(seed), len(days)
    volume = generator.normal(size=n)
    p = np.full(n, 1 / (1 + np.exp(1.5)))
    p[LAG:] = 1 / (1 + np.exp(1.5 - strength * volume[:-LAG]))
    touched = np.append(False, generator.random(n - 1) < p[:-1])
    close = 100 * np.cumprod(1 + np.clip(generator.normal(0, 0.004, n), -0.02, 0.008))
    before = np.append(100, close[:-1])
    open_ = before * (1 + np.clip(generator.normal(0, 0.002, n), -0.006, 0.006))
    top = np.maximum(open_, close)
    quiet = np.maximum(top, np.minimum(before * 1.0095, top * (1 + np.abs(generator.normal(0, 0.001, n)))))
    high = np.where(touched, np.maximum(top, before * (1.0105 + generator.exponential(0.002, n))), quiet)
    low = np.minimum(open_, close) * (1 - np.abs(generator.normal(0, 0.002, n)))
    bars = {"Open": open_, "High": high, "Low": low, "Close": close, "Volume": np.round(1e6 * np.exp(0.5 * volume))}
    return pd.DataFrame({"Date": days.strftime("%Y-%m-%d"), **bars}), pd.Series(p, index=days)


def test_the_planted_market_has_the_edge_that_it_says():
    bars, p = planted_market(1.2)
    y = (bars["High"].to_numpy()[1:] >= bars["Close"].to_numpy()[:-1] * 1.01).astype(float)
    found = evaluate(y, p.to_numpy()[:-1])
    assert found.ece < 0.03
    assert found.roc_auc == pytest.approx(0.775, abs=0.01)
    assert planted_market(0.0)[1].nunique() == 1


@pytest.fixture
def search(stores, home):
    """Search an edge of some strength as a user of the first recipe would: its study and the true probabilities."""

    def run(strength, n_trials):
        bars, p = planted_market(strength)
        (home / "bars").mkdir()
        bars.to_csv(home / "bars" / "EDGE.csv", index=False)
        axes = {"d_model": (16, 32), "n_layers": (1, 2), "n_heads": (2,), "ff_ratio": (2, 4), "tolerance": 0.5}
        data = {"source": "csv:bars?adjusted=yes", "ticker": "EDGE"}
        request = HpoRequest(budget="20K", max_epochs=40, patience=8, tier="r25", init="normal", **axes, **data)
        plan, dataset = make_plan(request, root=home / "data")
        study = open_or_create_study(stores, plan, trials=n_trials, data_root=home / "data", pruner="none")
        said = {"report": lambda event: None, "should_stop": lambda: False}
        runner = TrialRunner(study, dataset, device="cpu", **said)
        while len(study.finished()) < n_trials:
            runner.run_next()
        return study, p

    return run


@pytest.mark.slow
@pytest.mark.lesson("L23")
@pytest.mark.lesson("L24")
def test_a_planted_edge_is_found_and_covered_and_promoted(search, stores):
    study, truth = search(1.2, 4)
    version = register(stores, study.plan.study, RegisterRequest(seeds=1), make_console())
    assert champion_of(study.client, version.name).version == version.version
    found = load_forecasts(study)
    trials = found.of_role("trial")
    known = evaluate(found.y_D, truth.loc[found.dates_D].to_numpy())
    chosen = selection_corrected(found.y_D, trials.p_MD, block=20)
    assert chosen.corrected_low < known.roc_auc < chosen.corrected_high
    best = trials.p_MD[trials.best("trial")]
    loss = metric_intervals(found.y_D, best, resampled_days(len(best), block=20))["loss"]
    assert loss.low < known.loss < loss.high
    assert evaluate(found.y_D, best).skill > 0.05
    assert evaluate(found.y_D, found.p_MD[found.best("baseline")]).skill < 0.01


@pytest.mark.slow
@pytest.mark.lesson("L23")
@pytest.mark.lesson("L24")
def test_a_market_without_an_edge_has_no_champion(search, stores):
    study, _ = search(0.0, 4)
    version = register(stores, study.plan.study, RegisterRequest(seeds=1), make_console())
    assert champion_of(study.client, version.name) is None
    assert version.tags["gate"].startswith("not met: ")
    assert "beats the best baseline" in version.tags["gate"]


@pytest.mark.slow
@pytest.mark.lesson("L23")
def test_shuffled_labels_of_a_real_market_leave_no_skill(planned):
    plan, dataset, _ = planned
    spec = replace(plan, max_epochs=4, patience=4).spec(plan.grid().architectures[0], {"learning_rate": 3e-3})
    windows = make_windows(dataset, spec.target, spec.split, spec.architecture.context_length)
    aucs, coins = [], []
    for seed in range(6):
        shuffled = shuffle_labels(windows, seed)
        trainer = Trainer(spec, shuffled, build_model(spec, shuffled))
        assert len(list(trainer.epochs())) == 4
        rows = windows.rows.validation
        outcomes, days = shuffled.outcomes(rows), resampled_days(len(rows), block=1, n_resamples=1000, seed=seed)
        fitted = fit_baseline(BASELINES["logistic"], dataset, shuffled, horizon=1)
        for p in (predict_rows(trainer.model, shuffled, rows), fitted.predict_rows(dataset, rows)):
            found = metric_intervals(outcomes, p, days)["roc_auc"]
            aucs.append(found.value)
            coins.append(found.low < 0.5 < found.high)
            assert evaluate(outcomes, p).skill < 0.01
    assert np.mean(aucs) == pytest.approx(0.5, abs=0.03)
    assert sum(coins) >= 9


def shuffle_labels(windows, seed):
    """Windows whose outcomes are permuted inside training and inside validation."""
    y, generator = windows.y_host_D.copy(), np.random.default_rng(seed)
    for rows in (windows.rows.train, windows.rows.validation):
        y[rows] = generator.permutation(y[rows])
    return replace(windows, y_host_D=y, y_D=torch.from_numpy(y))
