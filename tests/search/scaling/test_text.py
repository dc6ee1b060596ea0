import json
from dataclasses import replace
from math import inf, nan

import pytest

from search.evidence.bootstrap import Interval
from search.scaling.curves import CONSTANT, POWER_LAW
from search.scaling.result import RISES
from search.scaling.scaling import scaling_of_points
from search.scaling.text import lines_below, scaling_tables, scaling_to_dict
from search.scaling.verdict import verdict_of


@pytest.fixture(scope="module")
def study(simulated):
    return scaling_of_points(simulated(0, sizes=[1e4, 1e5, 1e6], gain=2.0), horizon=1, n_resamples=50)


def rows_of(table):
    return list(zip(*(column.cells for column in table.columns), strict=True))


def test_every_budget_is_a_row_and_every_curve_one_with_the_chosen_marked(study):
    losses, curves = (rows_of(table) for table in scaling_tables(replace(study, chosen=POWER_LAW)))
    assert [(row[0], row[1]) for row in losses] == [
        (b.budget, f"{b.n_trials} of {b.n_finished}") for b in study.budgets
    ]
    assert [row[0].removesuffix(" (chosen)") for row in curves] == [fit.name for fit in study.fits]
    assert [row[0] for row in curves if "(chosen)" in row[0]] == [f"{POWER_LAW} (chosen)"]


def test_a_curve_s_distance_is_over_the_lowest_and_unknown_where_it_has_none(study):
    fits = [replace(fit, aicc=aicc) for fit, aicc in zip(study.fits, (-10.0, -7.5, inf, nan), strict=True)]
    fits[2] = replace(fits[2], problem="too few budgets")
    _, curves = scaling_tables(replace(study, fits=tuple(fits)))
    assert [row[1] for row in rows_of(curves)] == ["0.0", "2.5", "unknown", "unknown"]
    assert rows_of(curves)[2][2] == "too few budgets"


def test_the_verdict_comes_first_and_what_is_not_determined_last(study):
    change = Interval(value=-0.02, low=-0.03, high=-0.01)
    lines = lines_below(replace(study, selected_change=change, unfitted=("U-shape: too few",)))
    assert lines[0] == verdict_of(study)
    assert lines[1].startswith("best trial of 1000K less that of 10K") and lines[1].endswith(
        "-0.0200 [-0.0300, -0.0100]"
    )
    assert lines[2:] == ["not determined: U-shape: too few"]
    assert len(lines_below(replace(study, selected_change=None, unfitted=()))) == 1


@pytest.mark.lesson("L3")
def test_what_json_has_no_word_for_is_null(study):
    fits = tuple(replace(fit, aicc=inf) for fit in study.fits)
    held = scaling_to_dict(replace(study, fits=fits, detectable=nan, floor=None, finding=RISES))
    assert (held["detectable"], held["floor"], held["fits"][0]["aicc"]) == (None, None, None)
    assert held["fits"][0]["name"] == CONSTANT
    json.dumps(held, allow_nan=False)


def test_same_points_same_answer_and_json_holds_all_of_it(simulated):
    points = simulated(0, sizes=[5e4, 2e5, 2e6], floor=0.4, gain=2.0, alpha=0.3)
    first, second = (
        scaling_to_dict(scaling_of_points(points, horizon=1, n_resamples=300)),
        scaling_to_dict(scaling_of_points(points, horizon=1, n_resamples=300)),
    )
    assert first == second
    assert json.loads(json.dumps(first, allow_nan=False)) == first
    assert len(first["points"]) == 30
    assert {"verdict", "alpha", "change", "budgets", "fits", "unfitted"} <= set(first)
