import pytest

from benchmarks.coverage import coverage, expected


@pytest.mark.lesson("L23")
def test_intervals_in_use_hold_the_truth_more_often_than_resampled_ones_where_days_persist():
    truth = expected(0.97, n_days=20_000, n_draws=20)
    assert truth["loss apart"] < 0 < truth["roc_auc apart"] and truth["noise"] == 0.5
    found = coverage(502, 0.97, truth, simulations=60, n_resamples=60)
    assert set(found) == set(truth)
    means = {way: sum(ways[way][0] for ways in found.values()) / len(found) for way in ("cosines", "bootstrap")}
    assert means["cosines"] > means["bootstrap"] + 0.04
    assert means["cosines"] >= 0.91
