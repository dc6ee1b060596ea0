from dataclasses import replace

import pytest
from optuna.samplers import BaseSampler
from optuna.trial import TrialState

from pipeline.exceptions import InputError
from search.space.drawn import TRAINING
from search.space.ranges import LIMITS
from search.study.make_plan import make_plan
from search.study.next_trial import TRIED_IN_VAIN, Proposer
from search.study.study import open_or_create_study
from search.study.tried import draw_untried, require_enough_specs, tried
from tests.search.conftest import REQUEST

FIXED = {**dict.fromkeys(TRAINING, "0.01"), "batch_size": "64,128", "label_smoothing": "0:0.1:0.1"}
FEW = replace(REQUEST, trials=4, d_model=(8,), n_layers=(2, 3), n_heads=(1,), ff_ratio=(2,), **FIXED)


@pytest.fixture
def few(stores, planned):
    """A study of few specs: none of its training settings has a range."""
    plan, _ = make_plan(FEW, root=planned[2])
    return open_or_create_study(stores, plan, trials=4, data_root=planned[2])


def end(study, trial, state, **attributes):
    spec = study.plan.spec(
        study.plan.space().decode(trial.params), {name: trial.params[name] for name in study.plan.drawn}
    )
    for name, value in {"spec_hash": spec.hash, **attributes}.items():
        study.schedule._storage.set_trial_user_attr(trial._trial_id, name, value)
    study.schedule.tell(trial.number, 0.5 if state == TrialState.COMPLETE else None, state=state)


@pytest.mark.lesson("L28")
def test_more_trials_than_specs_are_refused_with_how_many_there_are(few, planned):
    n_specs = few.plan.space().n_specs
    assert n_specs == 4 * len(few.plan.grid().architectures)
    require_enough_specs(few.plan, n_specs)
    with pytest.raises(
        InputError, match=rf"at most the {n_specs} specs .*, got {n_specs + 1}: .* take --trials {n_specs}"
    ):
        make_plan(replace(FEW, trials=n_specs + 1), root=planned[2])
    assert planned[0].space().n_specs is None
    require_enough_specs(planned[0], 10**9)


class Stuck(BaseSampler):
    """Draws the first value of everything, always."""

    def infer_relative_search_space(self, study, trial):
        return {}

    def sample_relative(self, study, trial, search_space):
        return {}

    def sample_independent(self, study, trial, name, distribution):
        return distribution.choices[0] if hasattr(distribution, "choices") else distribution.low


@pytest.mark.lesson("L28")
@pytest.mark.lesson("L31")
def test_every_spec_is_proposed_before_they_are_exhausted_and_none_for_ever_in_vain(few):
    few.schedule.sampler = Stuck()
    proposer, n_specs, asked = Proposer(few), few.plan.space().n_specs, 0
    while not proposer.is_exhausted:
        asked += 1
        assert asked <= (TRIED_IN_VAIN + 1) * n_specs
        found = proposer.ask("here")
        if proposer.reuse(found) is None:
            end(few, few.schedule.trials[found.number], TrialState.COMPLETE)
    assert len(tried(few.schedule)) == n_specs == len(few.finished())
    assert draw_untried(few.plan, few.schedule) is None


def test_what_was_pruned_or_failed_was_tried_and_what_was_interrupted_was_not(few):
    ends = [(TrialState.PRUNED, "pruned"), (TrialState.FAIL, "failed"), (TrialState.FAIL, "interrupted")]
    for trial in few.schedule.get_trials(states=(TrialState.WAITING,)):
        few.schedule._storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)
    proposer = Proposer(few)
    for state, how in ends:
        few.schedule.enqueue_trial(draw_untried(few.plan, few.schedule))
        found = proposer.ask("here")
        end(few, few.schedule.trials[found.number], state, end=how)
    assert len(tried(few.schedule)) == 2
    drawn = draw_untried(few.plan, few.schedule)
    assert draw_untried(few.plan, few.schedule) == drawn, "by the study's seed"
    space, training = few.plan.space(), {name: drawn[name] for name in few.plan.drawn}
    assert few.plan.spec(space.decode(drawn), training).hash not in tried(few.schedule)


def test_nothing_is_counted_where_a_setting_has_a_range(make_study):
    assert set(LIMITS) > set(TRAINING)
    assert not Proposer(make_study(2)).is_exhausted
