import optuna
import pytest

from search.sampler import TrialSeededSampler


def draw(study, n):
    for _ in range(n):
        trial = study.ask({"x": optuna.distributions.FloatDistribution(0, 1)})
        study.tell(trial, (trial.params["x"] - 0.3) ** 2)
    return [trial.params["x"] for trial in study.trials]


@pytest.mark.lesson("L29")
def test_resuming_draws_what_an_uninterrupted_study_draws():
    whole = draw(optuna.create_study(sampler=TrialSeededSampler(7)), 16)
    storage = optuna.storages.InMemoryStorage()
    optuna.create_study(study_name="s", storage=storage)
    for part in (5, 11):
        parts = draw(optuna.load_study(study_name="s", storage=storage, sampler=TrialSeededSampler(7)), part)
    assert parts == whole
    assert len(set(whole)) == 16


def test_another_seed_draws_otherwise():
    a, b = (draw(optuna.create_study(sampler=TrialSeededSampler(seed)), 3) for seed in (1, 2))
    assert a != b
