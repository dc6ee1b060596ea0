from collections import deque
from dataclasses import replace

import pytest
from optuna.trial import TrialState

from pipeline.exceptions import LostLeaseError, StudyError
from pipeline.splits.splits import parse_split
from search.study.heartbeat import HOST
from search.study.study import open_or_create_study
from search.tracking.lease import Lease
from search.trial.runner import TrialRunner
from search.workers.coordinator import SAME_ERRORS_IN_A_ROW, Coordinator
from search.workers.pool import Workforce
from search.workers.progress import StudyProgress, make_console

SLOW = pytest.mark.slow


class PlayedEngine:
    """Hands in this process: each begins its trial when it is given one, and ends it when it is its turn.

    ``lose`` numbers the trials with which a hand is lost, ``told`` what it was asked for.
    """

    def __init__(self, study, dataset, lose=()):
        self.study, self.dataset, self.lose = study, dataset, set(lose)
        self.hands, self.running, self.said, self.told, self.most = [], {}, deque(), [], 0

    def __enter__(self):
        return self

    def __exit__(self, *cause):
        self.hands.clear()

    def start(self, count):
        for _ in range(count):
            hand = object()
            self.hands.append(hand)
            self.said.append((hand, {"event": "ready", "host": f"host-{len(self.told) % 2}"}))
            self.told.append("start")

    def run(self, hand, trial):
        assert hand not in self.running, "a hand runs one trial at a time"
        self.running[hand] = trial
        self.most = max(self.most, len(self.running))
        self.told.append(trial)

    def dismiss(self, hand):
        self.hands.remove(hand)
        self.said.append((hand, {"event": "left", "error": ""}))

    def events(self, timeout):
        if not self.said and self.running:
            hand, storage_id = next(iter(self.running.items()))
            del self.running[hand]
            number = self.study.schedule._storage.get_trial(storage_id).number
            if number in self.lose:
                self.hands.remove(hand)
                return [(hand, {"event": "lost", "error": f"trial {number} took its hand with it"})]
            TrialRunner(
                self.study,
                self.dataset,
                device="cpu",
                report=lambda event: self.said.append((hand, event)),
                should_stop=lambda: False,
            ).run(storage_id)
        return [self.said.popleft()] if self.said else []

    def stop(self):
        self.told.append("stop")

    def kill(self):
        self.told.append("kill")


@pytest.fixture
def study(stores, planned):
    """A study whose trials train on few days: what they find is not asked here."""
    plan, dataset, root = planned
    split = parse_split("2003-12-31/2004-12-31/2005-12-31", dataset.dates)
    return open_or_create_study(stores, replace(plan, split=split), trials=8, data_root=root)


@pytest.fixture
def make(study, stores, planned):
    def coordinator(n_workers=2, lease=None, until=None, **played):
        workforce = Workforce(stores=stores, n_workers=n_workers, device="cpu", lock=0, lease=lease)
        progress = StudyProgress(make_console(), finished=0, target=8)
        engine = PlayedEngine(study, planned[1], **played)
        return Coordinator(study, workforce, progress, until=until, engine=engine)

    return coordinator


@pytest.fixture
def coordinator(make):
    return make()


def states(study):
    return [trial.state for trial in study.schedule.trials]


@pytest.mark.lesson("L29")
def test_a_hand_that_is_lost_loses_no_trial_and_the_others_are_left_alone(make, study):
    lost = make(lose=[1], n_workers=3)
    assert lost.run()
    assert len(study.finished()) == 8 == states(study).count(TrialState.COMPLETE)
    assert states(study)[1] == TrialState.FAIL and TrialState.RUNNING not in states(study)
    retries = [t for t in study.schedule.trials if t.user_attrs.get("retry_of") == 1]
    assert [(t.state, t.user_attrs["forced"]) for t in retries] == [(TrialState.COMPLETE, "extreme")]
    assert sum("interrupted" in t.user_attrs.get("end", "") for t in study.schedule.trials) == 1


@pytest.mark.lesson("L29")
def test_the_last_trial_runs_all_the_same_when_its_hand_is_lost_and_the_others_were_let_go(make, study):
    lost = make(lose=[2], n_workers=3, until=3)
    assert lost.run() and lost.engine.told.count("start") == 4
    assert len(study.finished()) == 3 and states(study)[2] == TrialState.FAIL
    assert [t.state for t in study.schedule.trials if t.user_attrs.get("retry_of") == 2] == [TrialState.COMPLETE]


@pytest.mark.lesson("L29")
def test_what_another_command_finished_while_this_one_was_cut_off_is_not_run_again(make, study):
    cut_off, other = make(n_workers=1, until=3), make(n_workers=1, until=3)

    def events(timeout):
        if cut_off.engine.running and not cut_off.engine.said:
            ((hand, trial),) = cut_off.engine.running.items()
            cut_off.engine.running.clear()
            assert other.run(), "it takes the study over, finishes it and leaves"
            number = study.schedule._storage.get_trial(trial).number
            cut_off.engine.said.append((hand, {"event": "closed", "number": number}))
        return [cut_off.engine.said.popleft()] if cut_off.engine.said else []

    cut_off.engine.events = events
    assert cut_off.run()
    assert len(study.finished()) == 3
    assert sum(told not in ("start", "stop", "kill") for told in cut_off.engine.told) == 1


@pytest.mark.parametrize("n_workers", [1, 3, pytest.param(8, marks=SLOW), pytest.param(20, marks=SLOW)])
def test_no_more_trials_run_than_are_missing(make, study, n_workers):
    worked = make(n_workers=n_workers)
    assert worked.run()
    assert len(study.finished()) == len(study.schedule.trials) == 8
    assert worked.engine.most <= min(n_workers, 8)
    assert worked.run() and len(study.schedule.trials) == 8, "there is nothing left to do"


@pytest.mark.lesson("L31")
@pytest.mark.parametrize("n_workers", [pytest.param(1, marks=SLOW), 2, pytest.param(5, marks=SLOW)])
def test_a_spec_that_is_at_work_is_not_handed_out_again(make, study, n_workers):
    queued = study.schedule.trials[0].system_attrs["fixed_params"]
    for _ in range(2):
        study.schedule.enqueue_trial(queued, user_attrs={"forced": "twin"})
    worked = make(n_workers=n_workers, until=6)
    assert worked.run()
    specs = [t.user_attrs["spec_hash"] for t in study.finished()]
    assert len(specs) == len(set(specs)) == 6
    again = [t for t in study.schedule.trials if t.user_attrs.get("forced") == "twin" and t.state.is_finished()]
    assert all(t.user_attrs["reuses"] == 0 and t.value == study.finished()[0].value for t in again)


@pytest.mark.lesson("L31")
def test_a_twin_runs_itself_when_the_other_has_no_result(make, study):
    first = study.schedule.trials[0]
    study.schedule._storage.set_trial_user_attr(first._trial_id, "retries", 2)
    params = first.system_attrs["fixed_params"]
    twin = study.schedule.trials[1]
    study.schedule._storage.set_trial_system_attr(twin._trial_id, "fixed_params", params)
    worked = make(lose=[0], until=1)
    assert worked.run()
    (finished,) = study.finished()
    assert finished.number == 1 and states(study)[0] == TrialState.FAIL
    assert finished.user_attrs[HOST]


@pytest.mark.slow
def test_a_trial_says_where_it_runs_from_the_first_moment(make, study):
    worked = make(n_workers=1, until=7)
    written = study.schedule._storage._backend

    def check(function):
        def look(*arguments, **names):
            running = [t for t in written.get_all_trials(study.schedule._study_id) if t.state == TrialState.RUNNING]
            assert all(t.user_attrs.get(HOST) for t in running)
            return function(*arguments, **names)

        return look

    for name in ("set_trial_state_values", "_set_trial_param", "set_trial_user_attr"):
        setattr(written, name, check(getattr(written, name)))
    assert worked.run()


def test_it_can_stop_before_the_target(make):
    assert make(until=0).run()
    assert make()._remaining() == 8


def test_errors_are_alike_whatever_their_numbers(coordinator):
    coordinator._count_error("TrainingError: loss must be finite, got nan at step 29 with learning rate 0.0012")
    coordinator._count_error("ValueError: another")
    for step in range(1, SAME_ERRORS_IN_A_ROW):
        coordinator._count_error(f"TrainingError: loss must be finite, got nan at step {step} with learning rate 2e-05")
    with pytest.raises(StudyError, match="fail alike"):
        coordinator._count_error("TrainingError: loss must be finite, got nan at step 7 with learning rate 1.5e-3")


@pytest.mark.lesson("L40")
def test_nothing_is_asked_for_once_another_command_has_the_study(make, study, monkeypatch):
    def lost(lease):
        raise LostLeaseError("taken over")

    monkeypatch.setattr(Lease, "require", lost)
    with pytest.raises(LostLeaseError):
        make(lease=Lease()).run()
    assert states(study) == [TrialState.WAITING] * 6


@pytest.mark.lesson("L28")
def test_a_study_whose_specs_were_all_tried_ends_instead_of_drawing_for_ever(study, make, monkeypatch):
    monkeypatch.setattr("search.study.next_trial.Proposer.is_exhausted", True)
    with pytest.raises(StudyError, match=r"got 0 finished trials of 8 and no spec left: .* take --trials 0"):
        make().run()
