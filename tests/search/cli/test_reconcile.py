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


NAMING = [
    *("reconcile", "audit", "baselines", "gc", "register", "report", "scaling", "supplement", "walkforward"),
    *("rollback", "promote", "evaluate", "predict", "show"),
]


@pytest.mark.lesson("L44")
@pytest.mark.parametrize("naming", NAMING)
def test_a_name_that_is_nobodys_writes_nowhere(home, command, naming):
    theirs = home / "uv.lock"
    theirs.write_text("version = 1")
    for path in (home, home / "mlruns"):
        (path / "uv.registry.lock").write_text("version = 1")
    before = {path: path.is_file() and path.read_bytes() for path in home.rglob("*")}
    for name in ("../../uv", "../uv", str(home / "uv"), "mistyped"):
        given = f"{name}/1" if naming in ("promote", "evaluate", "predict") else name
        code, _, err = command(naming, given)
        assert (code, err.count("\n")) == (2, 1), err
    after = {path: path.is_file() and path.read_bytes() for path in home.rglob("*")}
    assert after == before
