import pytest
from optuna.trial import TrialState

from search.space.ranks import SearchSpace
from search.tracking.locks import study_lock


@pytest.mark.lesson("L29")
def test_what_a_crash_left_open_is_closed_once_and_then_the_stores_agree(make_study, command):
    study = make_study(1)
    name = study.plan.study
    trial = study.schedule.ask(SearchSpace(study.plan.grid()).distributions())
    code, out, _ = command("reconcile", name)
    *repairs, last = out.splitlines()
    assert code == 0 and repairs and last == f"study {name}: {len(repairs)} repairs"
    assert study.schedule.trials[trial.number].state == TrialState.FAIL
    assert command("reconcile", name) == (0, f"study {name}: the stores agree\n", "")


@pytest.mark.lesson("L34")
def test_a_study_in_use_is_left_alone(make_study, stores, command):
    study = make_study(1)
    trial = study.schedule.ask(SearchSpace(study.plan.grid()).distributions())
    with study_lock(stores, study.plan.study):
        code, out, err = command("reconcile", study.plan.study)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert study.schedule.trials[trial.number].state == TrialState.RUNNING
