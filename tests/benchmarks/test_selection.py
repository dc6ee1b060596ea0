import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks import selection
from search.evidence.scores import daily_losses


def test_the_true_loss_of_a_trial_is_what_very_many_days_show():
    rng = np.random.default_rng(0)
    errors = np.array([0.2, 0.6, 1.2])
    found = []
    for _ in range(30):
        truth = selection.BASE_LOGIT + selection.SIGNAL * rng.normal(size=20_000)
        y = (rng.random(20_000) < selection.expit(truth)) * 1.0
        found.append(daily_losses(y, selection.expit(truth + errors[:, None] * rng.normal(size=20_000))).mean(axis=1))
    assert np.mean(found, axis=0) == pytest.approx(selection.true_losses(errors), abs=0.002)
    assert selection.true_losses(selection.errors_of(np.array([0.01]))) - selection.true_losses(
        np.array([selection.LEAST_ERROR])
    ) == pytest.approx(0.01, abs=1e-4)


@pytest.mark.lesson("L47")
def test_more_days_select_better():
    found = selection.simulate(studies=12, trials=12, spread=0.02)
    assert (
        found["8 years, lowest loss"]["regret"] < found["2 years, lowest loss"]["regret"] < found["any trial"]["regret"]
    )
    for each in found.values():
        assert 0 <= each["best"] <= each["near"] <= 1
    assert found["any trial"]["best"] == pytest.approx(1 / 12)


def test_the_command_prints_a_table_of_every_way(monkeypatch):
    monkeypatch.setattr(selection, "assumed", lambda spread: {"AUC": 0.7})
    said = CliRunner().invoke(selection.main, ["--studies", "1", "--trials", "3", "--spreads", "0.01"]).output
    assert said.count("| 2 years, ") == said.count("| 8 years, ") == 2 and "medians: AUC 0.7000" in said
