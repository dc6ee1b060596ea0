import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from search.workers.worker import RUN, STOP

PROJECT = Path(__file__).parents[3]
SCRIPT = """
from search.workers.worker import STOP, Orders
orders = Orders()
print("what a library prints is no event")
while True:
    order = orders.take()
    orders.report({"order": order, "stop": order == STOP or orders.stop.wait(0.0 if order == "run" else 60.0)})
    if order == STOP:
        break
"""


@pytest.fixture
def worker():
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    yield process
    process.kill()
    process.communicate()


def order(process, *orders):
    process.stdin.write("".join(f"{json.dumps(each)}\n" for each in orders))
    process.stdin.flush()


def test_orders_are_answered_in_their_order_and_only_events_are_heard(worker):
    order(worker, RUN, RUN)
    assert [json.loads(worker.stdout.readline()) for _ in "12"] == [{"order": RUN, "stop": False}] * 2
    worker.send_signal(signal.SIGINT)
    order(worker, RUN)
    assert json.loads(worker.stdout.readline())["order"] == RUN, "Ctrl-C is for the coordinator"
    out, err = worker.communicate(f"{json.dumps(STOP)}\n", timeout=1500)
    assert (json.loads(out), worker.returncode) == ({"order": STOP, "stop": True}, 0)
    assert err == "what a library prints is no event\n"


@pytest.mark.lesson("L29")
def test_a_stop_is_heard_while_an_order_is_carried_out(worker):
    order(worker, {"job": "long"}, STOP)
    assert json.loads(worker.stdout.readline()) == {"order": {"job": "long"}, "stop": True}


@pytest.mark.lesson("L34")
def test_a_worker_whose_coordinator_is_gone_ends_at_once(worker):
    order(worker, {"job": "long"})
    worker.stdin.close()
    assert worker.wait(timeout=1500) == 0
    assert worker.stdout.read() == ""
    worker.stdin = None
