import pytest

from model.metrics import evaluate
from search.evidence import Difference
from search.report.sections.forecasts import SHOWN_TRIALS, forecast_table, forecasts_section, previous_in_words


def difference(value, low, high):
    return Difference(metric="loss", value=value, low=low, high=high, p_value=0.5, detectable=0.01, n_days=400, block=1)


def test_the_csv_has_every_trial_and_the_page_the_best_and_all_baselines(inputs, measured):
    section = forecasts_section(inputs, measured, None)
    table = next(block for block in section.blocks if getattr(block, "name", "") == "forecasts")
    assert len(table.data) == 52 and len(table.rows) == SHOWN_TRIALS + 2
    assert [row[0] for number, row in enumerate(table.rows) if number in table.marked] == ["logistic", "base rate"]
    assert table.data["loss"].is_monotonic_increasing
    assert table.data["rank"].dropna().tolist() == list(range(1, 51))


@pytest.mark.lesson("L18")
@pytest.mark.lesson("L23")
def test_figures_are_those_of_the_forecasts(inputs, measured):
    frame = forecast_table(inputs, measured).set_index("model")
    for name, p in zip(inputs.forecasts.names, inputs.forecasts.p_MD, strict=True):
        found, row = evaluate(inputs.forecasts.y_D, p), frame.loc[name]
        for metric in ("loss", "roc_auc", "brier", "base_rate_loss", "skill"):
            assert row[metric] == pytest.approx(getattr(found, metric)), (name, metric)
        assert row["loss_low"] < row["loss"] < row["loss_high"]
        if name != "baseline logistic":
            assert row["difference_low"] <= row["difference_value"] <= row["difference_high"]
            assert row["difference_detectable"] > 0


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (difference(-0.02, -0.03, -0.01), "the larger budget is better"),
        (difference(0.02, 0.01, 0.03), "the larger budget is worse"),
        (difference(0.0, -0.01, 0.01), "can't tell the two budgets apart"),
    ],
)
@pytest.mark.lesson("L23")
def test_the_previous_budget_is_compared_in_words(found, words):
    text = previous_in_words("SPY-50K", found)
    assert words in text and "smallest detectable 0.0100" in text and "SPY-50K" in text
