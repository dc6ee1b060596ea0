import io

import pytest
from rich.console import Console

from search.folds.forecast import Job, Outcome
from search.walk_forward import progress

WORK = {"2015-epochs": 100, "2015-seed0": 100, "2015-seed1": 200}


@pytest.fixture
def shown(monkeypatch):
    clock = iter(range(0, 1000, 10))
    monkeypatch.setattr(progress.time, "monotonic", lambda: float(next(clock)))
    console = Console(file=io.StringIO(), width=140)
    return console, progress.WalkProgress(console)


def test_a_log_gets_a_line_a_job_with_the_time_left(shown):
    console, walk = shown
    with walk:
        walk.begin("trial 3", WORK, kept={"2015-epochs"})
        walk.done(Job(year=2015, seed=0, n_epochs=4), Outcome(n_epochs=4, seconds=9.8))
        walk.done(Job(year=2015, seed=1, n_epochs=4), Outcome(n_epochs=4, seconds=20.0))
    lines = console.file.getvalue().splitlines()
    assert lines[0] == "trial 3: 1 of 3 parts are kept from an earlier command"
    assert lines[1] == "[2/3] trial 3  2015-seed0  4 epochs  9.8 s  about 0.3 min left"
    assert lines[2] == "[3/3] trial 3  2015-seed1  4 epochs  20.0 s  done"


def test_quick_jobs_do_not_fill_a_log(shown, monkeypatch):
    console, walk = shown
    monkeypatch.setattr(progress.time, "monotonic", lambda: 1.0)
    with walk:
        walk.begin("baseline base_rate", WORK, kept=())
        walk.done(Job(year=2015, seed=0), Outcome(n_epochs=1, seconds=0.0))
    assert console.file.getvalue() == ""
