import signal

import pytest

from search.workers.local import LocalEngine
from search.workers.pool import Workforce

HAND = """
import json, sys
sys.stdin.readline()  # the stores' addresses
print(json.dumps({"event": "ready", "host": "here"}), flush=True)
for line in sys.stdin:
    order = json.loads(line)
    if order == "stop":
        break
    if order["run"] < 0:
        sys.exit(3)
    print(json.dumps({"event": "started", "number": order["run"]}), flush=True)
"""


@pytest.fixture
def engine(stores, tmp_path, monkeypatch):
    (tmp_path / "hand.py").write_text(HAND)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    engine = LocalEngine("s", Workforce(stores=stores, n_workers=2, device="cpu", lock=None))
    engine.pool._command[2] = "hand"
    return engine


def heard(engine, count):
    events = []
    while len(events) < count:
        events += engine.events(timeout=1500)
    return events


@pytest.mark.lesson("L34")
def test_a_process_says_what_a_hand_says_and_its_end_is_said_for_it(engine):
    with engine:
        engine.start(2)
        (one, first), (other, second) = heard(engine, 2)
        assert first == second == {"event": "ready", "host": "here"} and {one, other} == set(engine.hands)
        engine.run(one, 7)
        assert heard(engine, 1) == [(one, {"event": "started", "number": 7})]
        engine.run(one, -1)
        ((hand, event),) = heard(engine, 1)
        assert (hand, event["event"], event["code"]) == (one, "lost", 3) and "s.log" in event["error"]
        assert list(engine.hands) == [other] and engine.events(timeout=0.01) == []
        engine.dismiss(other)
        ((hand, event),) = heard(engine, 1)
        assert (hand, event["event"]) == (other, "left") and list(engine.hands) == []


@pytest.mark.lesson("L34")
def test_all_are_stopped_or_killed_together_and_none_outlives_the_engine(engine):
    with engine:
        engine.start(2)
        heard(engine, 2)
        engine.stop()
        assert [event["event"] for _, event in heard(engine, 2)] == ["left"] * 2
        engine.start(1)
        engine.kill()
        assert [event["code"] for _, event in heard(engine, 1) if event["event"] != "ready"] == [-signal.SIGKILL]
        engine.start(1)
    assert list(engine.hands) == []
