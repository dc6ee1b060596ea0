import optuna
import pytest
from optuna.distributions import FloatDistribution, IntDistribution

from pipeline.exceptions import InputError
from search.study.sampler import DEFAULT_SAMPLER, SAMPLERS, TrialSeededSampler

SPACE = {"x": FloatDistribution(0, 1), "rank": IntDistribution(0, 9), "single": IntDistribution(0, 0)}


def value(params):
    return (params["x"] - 0.3) ** 2 + (params["rank"] - 6) ** 2 / 100


def draw(study, n):
    for _ in range(n):
        trial = study.ask(SPACE)
        study.tell(trial, value(trial.params))
    return [tuple(trial.params.values()) for trial in study.trials]


@pytest.mark.slow
@pytest.mark.lesson("L29")
@pytest.mark.parametrize("kind", SAMPLERS)
def test_resuming_draws_what_an_uninterrupted_study_draws(kind):
    whole = draw(optuna.create_study(sampler=TrialSeededSampler(7, kind)), 14)
    storage = optuna.storages.InMemoryStorage()
    optuna.create_study(study_name="s", storage=storage)
    for part in (5, 7, 2):
        parts = draw(optuna.load_study(study_name="s", storage=storage, sampler=TrialSeededSampler(7, kind)), part)
    assert parts == whole
    assert len(set(whole)) == 14


@pytest.mark.parametrize("kind", SAMPLERS)
def test_another_seed_draws_otherwise(kind):
    a, b = (draw(optuna.create_study(sampler=TrialSeededSampler(seed, kind)), 3) for seed in (1, 2))
    assert a != b


@pytest.mark.parametrize("kind", SAMPLERS)
def test_a_sampler_can_be_changed_in_the_middle_of_a_study(kind):
    study = optuna.create_study(sampler=TrialSeededSampler(3))
    draw(study, 11)
    study.sampler = TrialSeededSampler(3, kind)
    assert len(set(draw(study, 2))) == 13


@pytest.mark.slow
@pytest.mark.parametrize("kind", [kind for kind in SAMPLERS if kind != "random"])
def test_workers_at_the_same_time_are_given_different_points_that_know_of_each_other(kind):
    study = optuna.create_study(sampler=TrialSeededSampler(5, kind))
    draw(study, 12)
    together = [study.ask(SPACE).params for _ in range(4)]
    assert len({tuple(params.values()) for params in together}) == 4
    alone = optuna.create_study(sampler=TrialSeededSampler(5, kind))
    draw(alone, 13)
    assert tuple(together[0].values()) == tuple(alone.trials[12].params.values())
    study.tell(12, value(together[0]))
    later = optuna.create_study(sampler=TrialSeededSampler(5, kind))
    draw(later, 13)
    assert tuple(later.ask(SPACE).params.values()) != tuple(together[1].values())


def test_an_unknown_sampler_is_refused_with_those_there_are():
    with pytest.raises(InputError, match=r"sampler must be one of tpe, gp, random, got 'grid'"):
        TrialSeededSampler(0, "grid")
    assert DEFAULT_SAMPLER in SAMPLERS
