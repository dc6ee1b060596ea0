import pytest

from search.legacy.recover.build import build_trial
from search.legacy.recover.fields import Fields


def build(study=None, value_is_loss=False, **fields):
    return build_trial(
        Fields(fields), form="json study", where="line 1", content="{}", study=study, value_is_loss=value_is_loss
    )


@pytest.mark.parametrize(
    ("study", "budget", "horizon"),
    [
        ("phase6a_200M_h5_threshold_1pct", "200M", 5),
        ("phase6a_2M_threshold_1pct", "2M", None),
        ("train_1.5B_h12", "1.5B", 12),
        ("h1", None, 1),
        ("phase6a_x2M_h1x", None, None),
        (None, None, None),
    ],
)
def test_budget_and_horizon_are_read_from_the_name_that_the_source_gives(study, budget, horizon):
    trial = build(study)
    assert (trial.budget, trial.horizon) == (budget, horizon)


@pytest.mark.lesson("L7")
def test_name_and_field_that_disagree_are_absence(study="phase6a_2M_h1_threshold_1pct"):
    trial = build(study, budget="20M", horizon=3)
    assert (trial.budget, trial.horizon) == (None, None)
    assert len(trial.flags) == 2


@pytest.mark.parametrize("budget", ["lots", "0M", "-2M"])
def test_a_budget_that_is_none_is_left_out(budget):
    trial = build(budget=budget)
    assert trial.budget is None
    assert "budget must be" in trial.flags[0]


def test_a_negative_value_is_no_log_loss():
    trial = build(value=-0.5, value_is_loss=True)
    assert trial.outcome.objective == "unknown"
    assert trial.flags == ("value -0.5 can't be a log loss",)


def test_a_value_that_is_not_the_loss_is_flagged():
    trial = build(value=0.71, val_loss=0.34)
    assert (trial.outcome.objective, trial.outcome.value) == ("loss", 0.34)
    assert "is not val_loss" in trial.flags[0]
