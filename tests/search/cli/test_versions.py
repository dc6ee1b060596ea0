import json
from types import SimpleNamespace

import pytest

from search.registry.versions.aliases import champion_of, move_champion

MODEL = "patchscale-S-h1"


@pytest.fixture
def client(stores):
    from search.tracking.stores import open_tracking

    client = open_tracking(stores)
    client.create_registered_model(MODEL)
    for number in (1, 2, 3):
        client.create_model_version(MODEL, source="file:///nothing")
        move_champion(client, MODEL, number, how="gate")
    return client


@pytest.mark.lesson("L24")
@pytest.mark.parametrize(("moved", "code"), [(True, 0), (False, 1)])
def test_a_champion_that_stays_is_exit_1(record, command, moved, code):
    calls = record("search.registry.promote.promote", moved)
    assert command("promote", "m/3", "--force", " a  drill ")[0] == code
    (((_, text), named),) = calls
    assert (text, named["force"]) == ("m/3", "a drill")


def test_rollback_brings_back_the_champion_before_or_the_one_that_is_named(client, command):
    code, out, _ = command("rollback", MODEL)
    assert code == 0
    assert out == f"champion of {MODEL} is now 2 again, before: 3; patchscale promote brings it back\n"
    assert command("rollback", MODEL, "--to", "1")[0] == 0
    assert int(champion_of(client, MODEL).version) == 1


@pytest.mark.lesson("L34")
@pytest.mark.parametrize("arguments", [("nothing",), (MODEL, "--to", "9"), (MODEL, "--to", "first")])
def test_a_mistaken_rollback_is_one_line_and_moves_nothing(client, command, arguments):
    code, out, err = command("rollback", *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert int(champion_of(client, MODEL).version) == 3


def test_two_versions_are_compared_in_words_or_json(record, command):
    found = SimpleNamespace(to_dict=lambda: {"n_days": 7}, show=lambda console: console.print("in words"))
    calls = record("search.registry.compare.compare_versions", found)
    assert json.loads(command("compare", "m/1", "m/2", "--json")[1]) == {"n_days": 7}
    assert command("compare", "m/1", "m/2")[1] == "in words\n"
    assert [arguments[1:] for arguments, _ in calls] == [("m/1", "m/2")] * 2
