import io

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from model.metrics import evaluate
from search.evidence.difference import paired_difference
from search.evidence.forecasts import Forecasts
from search.walk_forward.tables import difference_table, of_names, pooled_table, without_years, yearly_table


@pytest.fixture(scope="module")
def forecasts():
    dates = pd.bdate_range("2014-01-01", "2016-12-30")
    generator = np.random.default_rng(0)
    risk = generator.normal(size=len(dates))
    y = (generator.random(len(dates)) < 1 / (1 + np.exp(1.5 - risk))).astype(float)
    p = 1 / (1 + np.exp(1.5 - np.stack([risk, 0.5 * risk, np.zeros(len(dates))])))
    return Forecasts(
        dates_D=dates,
        y_D=y,
        p_MD=p,
        names=("trial 0 tiny", "baseline logistic", "baseline base_rate"),
        roles=("trial", "baseline", "baseline"),
        run_ids=("1", "2", "3"),
        n_params=(5000, None, None),
        horizon=1,
    )


def text(table):
    console = Console(file=io.StringIO(), width=160)
    console.print(table)
    return console.file.getvalue()


@pytest.mark.lesson("L18")
@pytest.mark.lesson("L23")
def test_pooled_figures_stand_beside_the_base_rate_with_intervals(forecasts):
    shown = text(pooled_table(forecasts, "study"))
    found = evaluate(forecasts.y_D, forecasts.p_MD[0])
    (line,) = [line for line in shown.splitlines() if "trial 0" in line]
    for value in (found.roc_auc, found.loss, found.brier):
        assert f"{value:.4f} [" in line
    assert f"{found.base_rate_loss:.4f}" in line
    assert "2014-2016, 783 days" in shown
    said = (
        "long-run variance by 3 cosines, Student's t; nothing is drawn, so there is no seed, whoever else stands here; "
        f"783 days, {int(forecasts.y_D.sum())} positive"
    )
    assert said in " ".join(shown.split())
    alone = text(pooled_table(forecasts.of_rows([0]), "study"))
    assert next(each for each in alone.splitlines() if "trial 0" in each).split() == line.split()


@pytest.mark.lesson("L23")
@pytest.mark.lesson("L24")
def test_differences_are_from_the_best_baseline_with_what_could_be_detected(forecasts):
    shown = text(difference_table(forecasts, "all"))
    assert "less baseline logistic, the best on these days" in shown
    found = paired_difference(forecasts.y_D, forecasts.p_MD[0], forecasts.p_MD[1], horizon=1)
    (line,) = [line for line in shown.splitlines() if "trial 0" in line and "log loss" in line]
    assert f"{found.value:+.4f} [{found.low:+.4f}, {found.high:+.4f}]" in line and f"{found.detectable:.4f}" in line
    assert not [line for line in shown.splitlines() if line.startswith("│ baseline logistic")]
    assert difference_table(forecasts.of_role("trial"), "all") is None


def test_years_are_starred_and_left_out(forecasts):
    shown = text(yearly_table(forecasts, "loss", [2016]))
    rows = {line.split("│")[1].strip(): line for line in shown.splitlines() if line.startswith("│")}
    assert set(rows) == {"2014", "2015", "2016*"} and "optimistic" in shown
    in_2015 = forecasts.dates_D.year == 2015
    found = [evaluate(forecasts.y_D[in_2015], p_D) for p_D in forecasts.p_MD[:, in_2015]]
    for value in (found[0].base_rate_loss, *(each.loss for each in found)):
        assert f"{value:.4f}" in rows["2015"]
    left = without_years(forecasts, [2015])
    assert set(left.dates_D.year) == {2014, 2016} and left.p_MD.shape == (3, len(left.y_D))
    assert "optimistic" not in text(yearly_table(forecasts, "roc_auc", []))


def test_models_are_taken_by_name(forecasts):
    found = of_names(forecasts, {"trial 0 tiny", "baseline base_rate"})
    assert found.run_ids == ("1", "3") and np.array_equal(found.p_MD, forecasts.p_MD[[0, 2]])
