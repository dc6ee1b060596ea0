import signal
import subprocess

import pytest

from search.tracking.locks import is_locked, study_lock
from search.workers.pool import LAUNCHER_VARIABLES, WorkerPool, WorkerProcess, Workforce
from search.workers.worker import RUN, STOP

ECHO = """
import json, os, sys
said = {"arguments": sys.argv[1:], "own_session": os.getsid(0) == os.getpid(), "threads": os.environ["OMP_NUM_THREADS"]}
said["addresses"] = json.loads(sys.stdin.readline())
print(json.dumps({**said, "variables": sorted(os.environ)}), flush=True)
for line in sys.stdin:
    print(line.strip() if json.loads(line) != "break" else "no JSON", flush=True)
"""


@pytest.fixture
def make_pool(stores, tmp_path, monkeypatch):
    (tmp_path / "echo_worker.py").write_text(ECHO)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def make(lock, n_workers=2):
        workforce = Workforce(stores=stores, n_workers=n_workers, device="cpu", lock=lock)
        return WorkerPool("echo_worker", "s", workforce, "s.log")

    return make


@pytest.mark.lesson("L34")
def test_workers_hold_the_lock_in_sessions_of_their_own_and_know_no_launcher(make_pool, stores, monkeypatch):
    for name in LAUNCHER_VARIABLES:
        monkeypatch.setenv(name, "launcher's")
    with study_lock(stores, "s") as lock:
        pool = make_pool(lock).__enter__()
        worker = pool.start()
    heard, said = pool.next_event(timeout=1500)
    assert heard is worker and said["own_session"] and said["threads"] == "1"
    assert said["arguments"] == ["s", "cpu"], "what stands here is seen by everybody on the machine"
    assert said["addresses"] == [stores.tracking_uri, stores.storage_uri, str(stores.home)]
    assert not {*LAUNCHER_VARIABLES} & {*said["variables"]}
    assert is_locked(stores, "s"), "what is RUNNING is not stale while a worker lives"
    pool.__exit__(None, None, None)
    assert not is_locked(stores, "s")


@pytest.mark.lesson("L34")
def test_what_workers_say_comes_as_they_say_it_and_their_end_is_said(make_pool):
    with make_pool(lock=0) as pool:
        one, other = pool.start(), pool.start()
        assert {pool.next_event(timeout=1500)[0] for _ in "12"} == {one, other}
        assert pool.next_event(timeout=0.01) is None
        for order in ({"job": 1}, RUN):
            other.order(order)
            assert pool.next_event(timeout=1500) == (other, order)
        one.process.kill()
        assert pool.next_event(timeout=1500) == (one, None)
        one.order(STOP)
        assert pool.workers == [other] and one.process.returncode == -signal.SIGKILL
        other.order("break")
        assert pool.next_event(timeout=1500) == (other, None), "who breaks the protocol is ended"
        late = pool.start()
    assert late.process.returncode is not None and pool.workers == []


def test_a_signal_can_order_while_an_order_is_written():
    reader = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    worker = WorkerProcess(reader)
    previous = signal.signal(signal.SIGALRM, lambda number, frame: worker.order(STOP))
    signal.setitimer(signal.ITIMER_REAL, 1e-4, 1e-4)
    try:
        for _ in range(20_000):
            worker.order(RUN)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
        reader.communicate(timeout=1500)
    worker.order(STOP)
