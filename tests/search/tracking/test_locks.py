import fcntl
import os
import subprocess
import sys
import threading

import pytest

from pipeline.exceptions import InputError, StoreError
from pipeline.file_lock import file_lock
from search.tracking.locks import (
    BRIEF,
    IMPORT,
    PARTS,
    POLL_SECONDS,
    SAY_AFTER,
    STORE,
    brief_lock,
    is_locked,
    lock_path,
    part_of,
    registry_lock,
    require_free_name,
    store_lock,
    study_lock,
)
from search.tracking.stores import resolve_stores


def test_one_command_at_a_time_and_the_lock_outlives_its_holder_in_workers(stores):
    with study_lock(stores, "s") as handle:
        with pytest.raises(StoreError, match=f"in use by process {os.getpid()}"), study_lock(stores, "s"):
            pass
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=(handle,))
    probe = os.open(stores.home / "locks" / "s.lock", os.O_RDWR)
    with pytest.raises(BlockingIOError):
        fcntl.flock(probe, fcntl.LOCK_EX | fcntl.LOCK_NB)
    child.communicate(b"\n")
    fcntl.flock(probe, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(probe)


def test_a_lock_is_waited_for_as_long_as_is_asked(stores):
    with registry_lock(stores, "m"):
        with pytest.raises(StoreError, match=r"m\.registry in use"), registry_lock(stores, "m", wait=0.3):
            pass


def test_whether_a_study_is_worked_on_is_seen_without_taking_it(stores):
    assert not is_locked(stores, "s")
    with study_lock(stores, "s"):
        assert is_locked(stores, "s")
    assert not is_locked(stores, "s") and (stores.home / "locks" / "s.lock").exists()


@pytest.mark.slow
@pytest.mark.lesson("L40")
def test_a_brief_holder_is_waited_for_and_that_is_said(stores, capsys):
    order = []

    def wait(lock):
        with lock:
            order.append("waited")

    for lock in (brief_lock(stores, "s"), study_lock(stores, "s", wait=1500)):
        waiting = threading.Thread(target=wait, args=(lock,))
        with brief_lock(stores, "s"):
            waiting.start()
            waiting.join(SAY_AFTER + 0.5)
            order.append("first")
        waiting.join(1500)
        assert capsys.readouterr().err == f"note: study s in use by process {os.getpid()}: waiting for it\n"
    assert order == ["first", "waited"] * 2


@pytest.mark.lesson("L40")
@pytest.mark.parametrize("text", ["{}\n", "{}", "{}\nlong"])
def test_who_works_for_long_or_is_of_older_code_is_not_waited_for(stores, capsys, text):
    path = lock_path(stores, "s")
    with file_lock(path):
        path.write_text(text.format(os.getpid()), encoding="utf-8")
        with pytest.raises(StoreError, match=f"in use by process {os.getpid()};"), brief_lock(stores, "s"):
            pass
    assert capsys.readouterr().err == "", "not waited for, so nothing is said"


@pytest.mark.lesson("L40")
def test_a_holder_that_has_not_said_yet_who_it_is_is_not_taken_for_the_one_before(stores):
    with study_lock(stores, "s"):
        pass
    path, order = lock_path(stores, "s"), []

    def wait():
        with brief_lock(stores, "s"):
            order.append("waited")

    waiting = threading.Thread(target=wait)
    with file_lock(path):
        waiting.start()
        waiting.join(POLL_SECONDS / 4)
        path.write_text(f"{os.getpid()}\n{BRIEF}", encoding="utf-8")
        waiting.join(2 * POLL_SECONDS)
        order.append("first")
    waiting.join(1500)
    assert order == ["first", "waited"]


def test_who_only_looks_keeps_nobody_else_from_looking(stores):
    with study_lock(stores, "s"):
        pass
    with lock_path(stores, "s").open() as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        assert not is_locked(stores, "s")


RESERVED = [STORE, IMPORT, "mlflow.db", "optuna.db", "Store", "X.Report", *(part_of("X", part) for part in PARTS)]


@pytest.mark.lesson("L40")
@pytest.mark.parametrize("name", RESERVED)
def test_no_new_study_has_the_name_of_another_lock(home, command, name):
    before = sorted(home.rglob("*"))
    code, _, err = command("hpo", "--budget", "5K", "--tier", "r25", "--trials", "1", "--study", name)
    assert (code, err.count("\n")) == (2, 1)
    assert err.startswith("error: study must have a name that no other lock") and f"got {name!r}; choose another" in err
    assert sorted(home.rglob("*")) == before


@pytest.mark.parametrize("name", ["stores", "X.store-1", "baselines", ".", "mlflow.db-2", "X.reports", "SPY-h1-2M"])
def test_a_name_that_only_resembles_one_is_free(stores, name):
    require_free_name(stores, name)


def test_the_databases_of_a_store_are_called_as_they_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    stores = resolve_stores(f"sqlite:///{tmp_path}/record", f"sqlite:///{tmp_path}/schedule")
    for name in ("record", "schedule"):
        with pytest.raises(InputError, match=f"got '{name}'"):
            require_free_name(stores, name)
    require_free_name(stores, "mlflow.db")


def test_a_study_that_older_code_gave_such_a_name_goes_on(make_study, command, monkeypatch):
    name = make_study(1, study="X.report").plan.study
    reached = []
    monkeypatch.setattr("search.hpo.command.work_on", lambda *given, **more: reached.append(1) or pytest.fail("worked"))
    with pytest.raises(pytest.fail.Exception, match="worked"):
        command("hpo", "--budget", "5K", "--tier", "r25", "--trials", "1", "--study", name)
    assert reached and command("status")[0] == 0


def test_locks_lie_where_older_code_looks_for_them(stores):
    locks = stores.home / "locks"
    locks.mkdir(exist_ok=True)
    before = set(locks.iterdir())
    with study_lock(stores, "s"), brief_lock(stores, part_of("s", "baselines")), store_lock(stores):
        assert {each.name for each in {*locks.iterdir()} - before} == {"s.lock", "s.baselines.lock", "store.lock"}
