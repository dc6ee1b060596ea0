import numpy as np
import pandas as pd
import pytest

from benchmarks.folds import FoldTable, equal_cost, prune_study


@pytest.fixture
def table():
    """Forty specs that are wrong by more and more, on ten years; two years say the opposite."""
    rng = np.random.default_rng(0)
    dates = pd.bdate_range("2013-01-01", "2022-12-31")
    p_D = rng.uniform(0.1, 0.5, len(dates))
    y_D = (rng.random(len(dates)) < p_D).astype(float)
    wrong_T = np.linspace(0, 0.8, 40)
    p_TD = p_D ** (1 + wrong_T[:, None])
    return FoldTable(
        stopped_loss_T=-wrong_T,
        stopped_seconds_T=np.ones(40),
        p_TD=p_TD,
        seconds_TF=np.full((40, 10), 0.5),
        days=pd.DataFrame({"date": dates, "y": y_D}),
        years_F=np.arange(2013, 2023),
        base_rates_F=np.full(10, 0.3),
        validation_year=2021,
    )


def test_equal_seconds_buy_fewer_trials_of_folds_and_either_way_is_judged_on_years_it_did_not_see(table):
    found = equal_cost(table, trials=20, folds=8, studies=30)
    truth = table.mean_loss(2013, 2014)
    assert set(found["trials by folds"]) == {5}, "a trial takes 1 second, its folds 4"
    assert set(found["two years"]) <= set(truth[20:]), "the two years select the worst of what is drawn"
    assert found["folds, as many trials"].mean() < found["folds"].mean() < found["two years"].mean()


def test_pruning_between_folds_saves_seconds_and_spares_the_best(table):
    reports = {(t, f): table.quarters(t, f) for t in range(40) for f in range(2, 10)}
    drawn = [0, *range(39, 20, -1)]
    selected, share = prune_study(table, drawn, 8, 1, reports)
    assert selected == 0 and share < 0.6
    assert prune_study(table, drawn, 8, len(drawn), reports) == (0, 1.0)
