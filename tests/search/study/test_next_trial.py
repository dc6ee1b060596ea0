import socket

import pytest
from optuna.trial import TrialState

from search.study.heartbeat import HOST
from search.study.next_trial import Proposer, ask, next_in_queue, reuse_result
from search.study.reconcile import reconcile

HERE = socket.gethostname()


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


@pytest.mark.lesson("L31")
def test_a_trial_that_repeats_a_lost_one_stands_in_the_queue_where_that_stood(study, proposer):
    assert [proposer.ask(HERE).number for _ in range(2)] == [0, 1]
    study.schedule.tell(0, 0.5)
    lost = study.schedule.trials[1]
    for retry in (6, 7):
        reconcile(study)
        assert proposer.ask(HERE).number == retry, "before the four that were queued behind it"
    assert study.schedule.trials[7].params == lost.params and study.schedule.trials[7].user_attrs["forced"] == "extreme"
    study.schedule.tell(7, 0.5)
    assert [proposer.ask(HERE).number for _ in range(5)] == [2, 3, 4, 5, 8]
    study.schedule.enqueue_trial(lost.params)
    reconcile(study, alive=[2, 4, 5])
    waiting = [trial.number for trial in study.schedule.get_trials(states=(TrialState.WAITING,))]
    assert waiting == [9, 10, 11], "one that somebody queued, and those that repeat 3 and 8"
    assert [proposer.ask(HERE).number for _ in range(4)] == [10, 11, 9, 12]
    assert next_in_queue(study.schedule.get_trials()) is None
