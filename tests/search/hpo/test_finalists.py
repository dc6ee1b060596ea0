from dataclasses import replace

import numpy as np
import pytest

from search.audit.audit import audit_study
from search.audit.text import audit_in_words, issues_in_words
from search.evidence.forecasts import load_forecasts
from search.evidence.retrained import further_plan, load_retrained
from search.hpo import finalists
from search.hpo.execute import Ending
from search.hpo.finalists import finalists_of, run_finalists
from search.study.reconcile import reconcile
from search.study.request import HpoRequest
from search.study.study import load_study

REQUEST = HpoRequest(finalists=2)


def lowest(losses_MD, most, **others):
    """Finalists without a confidence set: of trials of one epoch, which are far apart, it would hold one."""
    return np.argsort(losses_MD.mean(axis=1), kind="stable")[:most]


@pytest.fixture
def work(monkeypatch, run_trials):
    """Train here what a study of finalists has queued, at most so many trials; the names of the studies worked on."""
    allowed, worked = [99], []

    def work_here(study, *others):
        worked.append(study.plan.study)
        reconcile(study)
        left = study.target_trials - len(study.finished())
        run_trials(study, min(left, allowed[0]))
        return Ending(complete=len(study.finished()) >= study.target_trials, timed_out=False, signal=None)

    monkeypatch.setattr(finalists, "work_on_study", work_here)
    monkeypatch.setattr(finalists, "choose_finalists", lowest)
    return allowed, worked


@pytest.mark.slow
@pytest.mark.lesson("L47")
@pytest.mark.lesson("L29")
def test_finalists_are_trained_again_with_further_seeds_and_an_interrupted_command_goes_on(make_trained, stores, work):
    allowed, worked = work
    study = make_trained(3, 3)
    trials = load_forecasts(study).of_role("trial")
    expected = [int(trials.names[row].split()[1]) for row in lowest(trials.losses_MD, 2)]
    allowed[0] = 1
    assert len(expected) == 2 and not run_finalists(stores, REQUEST, study).complete
    assert finalists_of(study, 2) == expected and load_retrained(study) is None
    allowed[0] = 99
    assert run_finalists(stores, REQUEST, study).complete
    names = [further_plan(study.plan, further).study for further in (1, 2)]
    assert worked == [names[0], *names]
    for further, name in enumerate(names, start=1):
        again = load_study(stores, name)
        assert again.plan.seed == study.plan.seed + further and again.target_trials == 2
        found = audit_study(again)
        assert (
            not found.missing
            and not found.gaps
            and "extremes, none: finalists of another study" in audit_in_words(found)
        )
        assert issues_in_words(found) == []
        assert [trial.params for trial in again.finished()] == [
            trial.params for trial in study.finished() if trial.number in expected
        ]
        assert len(again.schedule.trials) == 2 and {t.user_attrs["forced"] for t in again.schedule.trials} == {
            "finalist"
        }
    found = load_retrained(study)
    assert sorted(int(name.split()[1]) for name in found.names) == sorted(expected)
    assert found.seeds == (study.plan.seed, study.plan.seed + 1, study.plan.seed + 2)
    assert found.n_models == 3 and found.titles == tuple(f"seed {seed}" for seed in found.seeds)
    averaged = load_retrained(replace(study, plan=replace(study.plan, n_seeds=2)))
    assert averaged.n_models == 6 and averaged.titles[1:] == ("seeds 2-3", "seeds 4-5")
    own = {name: p_D for name, p_D in zip(trials.names, trials.p_MD, strict=True)}
    for name, p_SD in zip(found.names, found.p_SMD.transpose(1, 0, 2), strict=True):
        assert (p_SD[0] == own[name]).all() and (p_SD[0] != p_SD[1]).any() and (p_SD[1] != p_SD[2]).any()
    assert len(study.finished()) == study.target_trials == 3


@pytest.mark.slow
def test_more_trials_choose_anew_and_what_was_trained_is_not_trained_again(make_trained, stores, work, run_trials):
    study = make_trained(2, 2)
    run_finalists(stores, HpoRequest(finalists=1), study)
    first = finalists_of(study, 1)
    assert finalists_of(study, 2) != first
    run_finalists(stores, REQUEST, study)
    again = load_study(stores, further_plan(study.plan, 1).study)
    assert len(again.finished()) == len(again.schedule.trials) == again.target_trials == 2


def test_no_further_seed_is_one_that_the_trials_averaged(planned):
    plan = replace(planned[0], seed=3, n_seeds=4)
    seeds = [
        set(range(each.seed, each.seed + each.n_seeds)) for each in (plan, *(further_plan(plan, n) for n in (1, 2)))
    ]
    assert seeds == [{3, 4, 5, 6}, {7, 8, 9, 10}, {11, 12, 13, 14}]
