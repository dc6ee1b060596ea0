import json
import os
from unittest.mock import Mock

import pytest

from pipeline.exceptions import StoreLostError, TrainingError
from search.folds.forecast import Job
from search.tracking.locks import study_lock
from search.walk_forward.subject import Subject
from search.walk_forward.walk import load_walk_forward_data, make_forecaster
from search.walk_forward.workers import JobPool, read_setup, run_here, write_setup
from search.workers.pool import WorkerPool, Workforce

JOBS = [Job(year=2016, seed=seed, n_epochs=1) for seed in range(3)]


@pytest.fixture
def pool(stores, study, subject):
    with study_lock(stores, "test") as lock:
        workforce = Workforce(stores=stores, n_workers=2, device="cpu", lock=lock)
        with JobPool(study.plan.study, workforce, subject, (2015, 2016)) as pool:
            yield pool


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.slow
@pytest.mark.lesson("L32")
@pytest.mark.usefixtures("forked_workers")
def test_two_processes_find_what_this_one_finds_bit_for_bit(pool, study, subject):
    found = {job: outcome.p for job, outcome in pool.run(JOBS)}
    forecaster = make_forecaster(study, subject, load_walk_forward_data(study, subject, 2015, 2016))
    assert found == {job: outcome.p for job, outcome in run_here(forecaster, JOBS)}
    assert len(pool.workers) == 2
    assert [job for job, _ in pool.run([JOBS[0]])] == [JOBS[0]], "the same processes go on"
    assert len(pool.workers) == 2 and not list(pool.run([]))


@pytest.mark.slow
@pytest.mark.lesson("L34")
@pytest.mark.usefixtures("forked_workers")
def test_a_job_that_fails_or_a_process_that_dies_is_said(pool):
    with pytest.raises(TrainingError, match=r"2016-seed0: InputError: n_epochs of a refit must be from 1 to"):
        list(pool.run([Job(year=2016, seed=0, n_epochs=99)]))
    (worker,) = pool.workers
    worker.process.kill()
    with pytest.raises(TrainingError, match=r"must live until its job 2016-seed0 is done, got one that ended with -9"):
        list(pool.run([JOBS[0]]))


def test_a_worker_that_waits_for_a_store_is_not_done_and_one_that_waited_in_vain_ends_it(pool, monkeypatch):
    """What workers say, put into the pool's ear: a note is no outcome."""
    worker = Mock()
    done = {"event": "done", "n_epochs": 1, "seconds": 0.0, "p": [0.5]}
    said = iter([{"event": "note", "text": "waiting"}, done, {"event": "store lost", "error": "gone for 600 s"}])
    with monkeypatch.context() as patched:
        patched.setattr(pool.pool, "workers", [worker, worker])
        patched.setattr(pool.pool, "next_event", lambda: (worker, next(said)))
        assert [(job, outcome.p) for job, outcome in pool.run(JOBS[:1])] == [(JOBS[0], (0.5,))]
        with pytest.raises(StoreLostError, match="gone for 600 s"):
            list(pool.run(JOBS[:1]))


MORTAL = """
import json, os, signal, sys, time
from pathlib import Path
here, n_deaths = Path(sys.argv[1]), DEATHS
orders = map(json.loads, sys.stdin)
next(orders), next(orders)
for job in orders:
    if job["seed"] == 2 and len(list(here.glob("died-*"))) < n_deaths:
        while len(list(here.glob("done-*"))) < 2:
            time.sleep(0.01)
        (here / f"died-{os.getpid()}").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    print(json.dumps({"event": "done", "n_epochs": 1, "seconds": 0.0, "p": [job["seed"]]}), flush=True)
    (here / f"done-{job['seed']}").touch()
"""


@pytest.mark.lesson("L34")
@pytest.mark.parametrize(("n_workers", "n_deaths"), [(1, 1), (2, 1), (2, 2), (3, 1), (3, 2), (2, 3)])
def test_the_last_job_whose_process_dies_while_others_are_idle_is_done_all_the_same(
    stores, subject, tmp_path, monkeypatch, n_workers, n_deaths
):
    """By one that is idle, or by a new one, as often as the pool gives it."""
    (tmp_path / "mortal_worker.py").write_text(MORTAL.replace("DEATHS", str(n_deaths)))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    workforce = Workforce(stores=stores, n_workers=n_workers, device="cpu", lock=0)
    processes = WorkerPool("mortal_worker", str(tmp_path), workforce, "s.log")
    processes.chances = 3
    monkeypatch.setattr("search.walk_forward.workers.make_pool", lambda *asked: processes)
    with JobPool("s", workforce, subject, (2015, 2016)) as pool:
        if n_deaths == processes.chances:
            with pytest.raises(TrainingError, match="must live until its job 2016-seed2 is done, got one that ended"):
                list(pool.run(JOBS))
        else:
            assert {(job, outcome.p) for job, outcome in pool.run(JOBS)} == {(job, (job.seed,)) for job in JOBS}
            assert len(pool.workers) <= n_workers
    assert len(list(tmp_path.glob("died-*"))) == n_deaths


@pytest.mark.slow
@pytest.mark.lesson("L34")
def test_processes_end_with_the_pool_and_when_their_input_closes(stores, study, subject):
    with study_lock(stores, "test") as lock:
        workforce = Workforce(stores=stores, n_workers=1, device="cpu", lock=lock)
        with JobPool(study.plan.study, workforce, subject, (2015, 2016)) as pool:
            next(pool.run(JOBS))
            (worker,) = pool.workers
        assert not alive(worker.process.pid)
        with JobPool(study.plan.study, workforce, subject, (2015, 2016)) as pool:
            process = pool.start().process
            process.stdin.close()
            assert process.wait(timeout=1500) == 0


def test_a_setup_is_read_as_it_was_written(subject):
    from model.baselines import BASELINES

    for each in (subject, Subject(name="baseline logistic", baseline=BASELINES["logistic"])):
        held = json.loads(json.dumps(write_setup(each, (2015, 2016))))
        assert read_setup(held) == (each, (2015, 2016))
