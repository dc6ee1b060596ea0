import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

from pipeline.exceptions import InputError
from search.evidence.scores import METRICS, daily_losses, daily_scores, score, weighted_scores

REFERENCE = {
    "roc_auc": roc_auc_score,
    "loss": lambda y, p, sample_weight: log_loss(y, p, labels=[0, 1], sample_weight=sample_weight),
    "brier": lambda y, p, sample_weight: brier_score_loss(y, p, labels=[0, 1], sample_weight=sample_weight),
}


@st.composite
def forecasts(draw):
    n_days = draw(st.integers(4, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    y_D = rng.integers(0, 2, n_days).astype(float)
    y_D[:2] = 0, 1
    p_D = rng.integers(0, draw(st.integers(1, 12)) + 1, n_days) / 12
    return y_D, p_D, rng.integers(0, 4, (5, n_days)).astype(float)


@pytest.mark.parametrize("metric", METRICS)
@given(forecasts())
@settings(max_examples=60)
def test_many_weightings_at_once_are_what_scikit_learn_says_one_by_one(metric, drawn):
    y_D, p_D, weights_RD = drawn
    for found, weights_D in zip(weighted_scores(metric, y_D, p_D, weights_RD), weights_RD, strict=True):
        seen = weights_D > 0
        if len(set(y_D[seen])) < 2:
            assert metric != "roc_auc" or np.isnan(found)
        else:
            expected = REFERENCE[metric](y_D[seen], p_D[seen], sample_weight=weights_D[seen])
            assert found == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("metric", METRICS)
@given(forecasts())
@settings(max_examples=30)
def test_the_mean_of_the_daily_scores_is_the_score(metric, drawn):
    y_D, p_D, _ = drawn
    assert daily_scores(metric, y_D, p_D).mean() == pytest.approx(score(metric, y_D, p_D), abs=1e-12)


def test_the_influence_of_days_gives_the_variance_of_delong():
    rng = np.random.default_rng(0)
    y_D, p_D = (rng.random(800) < 0.3).astype(float), rng.random(800)
    positive = y_D == 1
    above = (p_D[positive][:, None] > p_D[~positive]).mean(axis=1).var() / positive.sum()
    below = (p_D[positive][:, None] > p_D[~positive]).mean(axis=0).var() / (~positive).sum()
    assert daily_scores("roc_auc", y_D, p_D).var() / 800 == pytest.approx(above + below, rel=1e-9)


def test_certain_and_wrong_is_finite():
    assert np.isfinite(daily_losses(np.array([1.0, 0.0]), np.array([0.0, 1.0]))).all()
    assert daily_losses(np.array([1.0]), np.array([0.0])) == pytest.approx(log_loss([1], [0.0], labels=[0, 1]))


def test_an_unknown_metric_is_named():
    with pytest.raises(InputError, match="metric must be one of roc_auc, loss, brier, got 'f1'"):
        score("f1", np.ones(2), np.ones(2))


def test_how_many_weightings_are_worked_on_at_a_time_changes_no_bit(monkeypatch):
    random = np.random.default_rng(0)
    y_D, p_D = (random.random(300) < 0.3).astype(float), random.random(300).round(2)
    weights_RD = random.multinomial(300, np.full(300, 1 / 300), size=400).astype(float)
    found = []
    for numbers in (1, 1000, 50_000, 10**9):
        monkeypatch.setattr("search.evidence.scores.CHUNK_NUMBERS", numbers)
        found.append(weighted_scores("roc_auc", y_D, p_D, weights_RD).tobytes())
    assert len(set(found)) == 1
