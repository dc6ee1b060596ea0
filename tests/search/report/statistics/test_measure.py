from dataclasses import replace

import numpy as np
import pytest

from model.metrics import evaluate
from search.report import make_report
from search.report.statistics.measure import measure

N_RESAMPLES = 200


def test_it_measures_every_model_and_compares_each_with_the_best_baseline(inputs, measured):
    forecasts = inputs.forecasts
    assert set(measured.intervals) == set(forecasts.names)
    assert set(measured.against_baseline) == set(forecasts.names) - {"baseline logistic"}
    name = forecasts.names[forecasts.best("trial")]
    found = measured.against_baseline[name]
    row, other = forecasts.row(name), forecasts.row("baseline logistic")
    assert found.value == pytest.approx(forecasts.losses_MD[row].mean() - forecasts.losses_MD[other].mean())
    assert measured.selection.n_models == measured.superiority.n_models == 50
    assert measured.selection.raw == max(
        each["roc_auc"].value for n, each in measured.intervals.items() if "trial" in n
    )


@pytest.mark.lesson("L18")
def test_the_base_rates_loss_is_of_the_same_days(inputs, measured):
    y = inputs.forecasts.y_D
    assert measured.base_rate_loss == pytest.approx(evaluate(y, np.full(len(y), 0.3)).base_rate_loss)


@pytest.mark.slow
def test_the_same_forecasts_measure_the_same(inputs, measured):
    again = measure(inputs.forecasts, n_resamples=N_RESAMPLES)
    assert again.intervals == measured.intervals
    assert again.selection == measured.selection
    assert again.confidence_set == measured.confidence_set
    assert again.overfitting == measured.overfitting
    assert again.superiority.p_value == measured.superiority.p_value


def test_one_trial_can_be_measured(make_inputs):
    found = measure(make_inputs(n_trials=1).forecasts, n_resamples=N_RESAMPLES)
    assert np.isnan(found.overfitting)
    assert found.selection.raw == found.selection.raw


def test_a_model_does_not_differ_from_itself(inputs):
    assert inputs.forecasts.difference(0, 0).value == 0


def test_a_models_interval_does_not_depend_on_who_stands_beside_it(inputs, measured):
    forecasts = inputs.forecasts
    few = forecasts.of_rows([3, 17, len(forecasts.names) - 1])
    alone = measure(few, n_resamples=N_RESAMPLES)
    assert alone.block == measured.block
    for name in few.names:
        assert alone.intervals[name] == measured.intervals[name]


@pytest.mark.slow
@pytest.mark.lesson("L50")
def test_two_positive_days_carry_figures_and_no_evidence(make_inputs):
    made = make_inputs(n_trials=3)
    y_D = np.zeros(len(made.forecasts.y_D))
    y_D[[50, 200]] = 1
    inputs = replace(made, forecasts=replace(made.forecasts, y_D=y_D))
    found = measure(inputs.forecasts, n_resamples=N_RESAMPLES)
    assert np.isfinite(found.selection.raw)
    unknown = [
        *(end for each in found.intervals.values() for i in each.values() for end in (i.low, i.high)),
        *(getattr(d, name) for d in found.against_baseline.values() for name in ("low", "high", "p_value")),
        *(found.selection.corrected_low, found.superiority.p_value, found.superiority.p_upper),
    ]
    assert np.isnan(unknown).all() and not len(found.superiority.superior)
    page = make_report([inputs], n_resamples=N_RESAMPLES).html
    assert "400 days, 2 positive: fewer than 10 of a class carry no interval" in page
    assert "too few days of a class for an interval" in page and "no interval" in page and ">nan" not in page
