"""Does the whole find an edge that is there, and none that is not?  Markets whose truth is known."""

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest
import torch

from model.baselines import BASELINES, fit_baseline
from model.metrics import evaluate
from model.trainer import Trainer, build_model, predict_rows
from model.windows import make_windows
from pipeline.calendars import sessions
from search.evidence.bootstrap import metric_intervals, resampled_days

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
