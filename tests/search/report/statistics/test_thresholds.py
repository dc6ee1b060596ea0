import numpy as np
import pytest
from sklearn.metrics import precision_score, recall_score

from search.evidence.bootstrap import day_counts, resampled_days
from search.report.statistics.thresholds import FEW_CALLS, threshold_sweep


@pytest.fixture(scope="module")
def sweep():
    rng = np.random.default_rng(0)
    p = rng.beta(2, 6, size=500)
    y = (rng.random(500) < p).astype(float)
    return threshold_sweep(y, p, day_counts(resampled_days(500, block=3, n_resamples=200))), y, p


def test_every_figure_is_scikit_learns(sweep):
    frame, y, p = sweep
    for row in frame.to_dict("records"):
        called = p >= row["threshold"]
        assert row["n_calls"] == called.sum()
        if called.any():
            assert row["precision"] == pytest.approx(precision_score(y, called))
        assert row["recall"] == pytest.approx(recall_score(y, called, zero_division=0))


def test_few_calls_are_marked_and_none_has_no_precision(sweep):
    frame, _, _ = sweep
    assert (frame["few"] == (frame["n_calls"] < FEW_CALLS)).all()
    assert frame["few"].any() and not frame["few"].all()
    none = frame[frame["n_calls"] == 0]
    assert len(none) and none[["precision", "precision_low", "precision_high"]].isna().all(axis=None)


def test_intervals_hold_their_figure(sweep):
    frame, _, _ = sweep
    held = frame[frame["n_calls"] > 0]
    for name in ("n_calls", "precision", "recall"):
        assert ((held[f"{name}_low"] <= held[name]) & (held[name] <= held[f"{name}_high"])).all(), name
