import socket

import pytest
from optuna.trial import TrialState

from search.study.heartbeat import HOST
from search.study.next_trial import Proposer, ask, reuse_result


@pytest.fixture
def study(make_study):
    return make_study(2)


@pytest.fixture
def proposer(study):
    return Proposer(study)


def test_what_is_queued_comes_first_and_says_where_it_runs(study, proposer):
    numbers = [proposer.ask("east").number for _ in range(7)]
    assert numbers == list(range(7))
    trials = study.schedule.trials
    assert {t.user_attrs[HOST] for t in trials} == {"east"} and {t.state for t in trials} == {TrialState.RUNNING}
    assert "fixed_params" in trials[5].system_attrs and "fixed_params" not in trials[6].system_attrs
    assert set(trials[6].params) == set(trials[0].params)
    assert ask(study.schedule, proposer.space.distributions()).user_attrs[HOST] == socket.gethostname()


@pytest.mark.slow
def test_what_is_drawn_is_what_optuna_alone_would_draw(make_study, run_trials):
    mine, optunas = make_study(9, study="mine"), make_study(9, study="optunas")
    for study in (mine, optunas):
        run_trials(study, 6)
    proposer = Proposer(mine)
    for _ in range(3):
        number = proposer.ask("east").number
        found = mine.schedule.trials[number]
        drawn = optunas.schedule.ask(proposer.space.distributions())
        assert (found.number, found.params) == (drawn.number, drawn.params)
        for study in (mine, optunas):
            study.schedule.tell(found.number, 0.5 + found.number / 100)


def test_a_trial_moves_to_another_machine(study, proposer):
    found = proposer.ask("east")
    proposer.move(found, "west")
    assert study.schedule.trials[0].user_attrs[HOST] == "west"


@pytest.mark.lesson("L31")
def test_the_result_of_a_finished_spec_is_taken_over_and_of_no_other(study, proposer, run_trials):
    run_trials(study, 1)
    (first,) = study.finished()
    other = proposer.ask("east")
    assert proposer.reuse(other) is None
    study.schedule.enqueue_trial(first.params)
    for _ in range(4):
        proposer.ask("east")
    same = proposer.ask("east")
    assert same.spec_hash == first.user_attrs["spec_hash"] != other.spec_hash
    assert proposer.reuse(same) == {"event": "reused", "number": same.number, "earlier": 0}
    ended = study.schedule.trials[same.number]
    assert (ended.state, ended.value, ended.user_attrs["reuses"]) == (TrialState.COMPLETE, first.value, 0)
    assert reuse_result(study, other.number, other.storage_id, "unknown") is None
