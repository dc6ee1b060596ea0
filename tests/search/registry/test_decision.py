import json

from search.registry.aliases import champion_of
from search.registry.decision import decide, gate_tags
from search.registry.gate import Condition, Gate
from search.registry.versions import find_version


def gate(**answers):
    conditions = tuple(Condition(name=name, holds=holds, words="figures") for name, holds in answers.items())
    return Gate(source="constructed", conditions=conditions)


def test_a_gate_that_holds_moves_the_champion(shelf):
    shelf.add("m", 2)
    first = decide(shelf, find_version(shelf, "m/1"), gate(finite=True))
    assert first == "champion is now m/1 (the gate holds; the first)"
    assert decide(shelf, find_version(shelf, "m/2"), gate(finite=True)) == (
        "champion is now m/2 (the gate holds; before: m/1)"
    )
    assert json.loads(find_version(shelf, "m@champion").tags["champion.gate"])["how"] == "gate"


def test_failed_and_unknown_conditions_keep_it_and_are_named(shelf):
    shelf.add("m", 2)
    decide(shelf, find_version(shelf, "m/1"), gate(finite=True))
    said = decide(shelf, find_version(shelf, "m/2"), gate(finite=True, calibrated=False, better=None))
    assert said.startswith("champion stays m/1: not met are calibrated, better; --force REASON")
    assert int(champion_of(shelf, "m").version) == 1


def test_force_is_recorded_as_force_only_where_the_gate_does_not_hold(shelf):
    shelf.add("m", 2)
    assert "forced: why not" in decide(shelf, find_version(shelf, "m/1"), gate(finite=None), force="why not")
    assert "champion.force" in find_version(shelf, "m/1").tags
    assert "the gate holds" in decide(shelf, find_version(shelf, "m/2"), gate(finite=True), force="anyway")
    assert "champion.force" not in find_version(shelf, "m/2").tags


def test_tags_say_every_answer():
    assert gate_tags(gate(finite=True, calibrated=None)) == {
        "gate": "not met: calibrated",
        "gate.finite": "pass: figures",
        "gate.calibrated": "unknown: figures",
    }
