import subprocess
import sys

import pytest
from optuna.trial import TrialState

from pipeline.exceptions import StudyError
from search.space.ranks import SearchSpace
from search.study.study import open_or_create_study
from search.workers.coordinator import SAME_ERRORS_IN_A_ROW, Coordinator
from search.workers.pool import Worker, Workforce
from search.workers.progress import StudyProgress, make_console


@pytest.fixture
def coordinator(stores, planned):
    plan, _, root = planned
    study = open_or_create_study(stores, plan, trials=8, data_root=root)
    progress = StudyProgress(make_console(), finished=0, target=8)
    return Coordinator(study, Workforce(stores=stores, n_workers=2, device="cpu", lock=0), progress)


@pytest.fixture
def process():
    dead = subprocess.Popen([sys.executable, "-c", ""], stdin=subprocess.PIPE, text=True)
    dead.communicate()
    return dead


def test_a_worker_killed_before_it_said_which_trial_it_runs_loses_none(coordinator, process):
    distributions = SearchSpace(coordinator.study.plan.grid()).distributions()
    lost, living = (coordinator.study.schedule.ask(distributions) for _ in range(2))
    dead, other = Worker(process), Worker(process)
    coordinator._busy = {dead: None, other: None}
    coordinator._on_exit(dead)
    coordinator._recover_lost_trial()
    states = [t.state for t in coordinator.study.schedule.trials[:2]]
    assert states == [TrialState.RUNNING, TrialState.RUNNING]
    coordinator._busy[other] = living.number
    coordinator._recover_lost_trial()
    trials = coordinator.study.schedule.trials
    assert [t.state for t in trials[:2]] == [TrialState.FAIL, TrialState.RUNNING]
    assert [t.user_attrs["retry_of"] for t in trials if "retry_of" in t.user_attrs] == [lost.number]


def test_it_can_stop_before_the_target(coordinator):
    shorter = Coordinator(coordinator.study, coordinator.workforce, coordinator.progress, until=0)
    assert shorter.run()
    assert coordinator._remaining() == 8


def test_errors_are_alike_whatever_their_numbers(coordinator):
    coordinator._count_error("TrainingError: loss must be finite, got nan at step 29 with learning rate 0.0012")
    coordinator._count_error("ValueError: another")
    for step in range(1, SAME_ERRORS_IN_A_ROW):
        coordinator._count_error(f"TrainingError: loss must be finite, got nan at step {step} with learning rate 2e-05")
    with pytest.raises(StudyError, match="fail alike"):
        coordinator._count_error("TrainingError: loss must be finite, got nan at step 7 with learning rate 1.5e-3")


def test_workers_ask_one_after_the_other(coordinator, process):
    first, second = Worker(process), Worker(process)
    coordinator._ready = [first, second]
    coordinator._hand_out()
    assert list(coordinator._busy) == [first]
    coordinator._on_event(first, {"event": "started", "number": 0})
    coordinator._hand_out()
    assert second in coordinator._busy
