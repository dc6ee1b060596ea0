import json
from dataclasses import asdict

import pytest
from mlflow import MlflowClient

import search.registry.versions.history as history
from search.registry.versions.aliases import champion_of, move_champion, moves_of, roll_back
from search.registry.versions.history import (
    BEGUN,
    FORCE,
    GATE,
    HISTORY,
    KEPT_MOVES,
    Move,
    history_tags,
    in_short,
    move_made,
    whole_moves,
    write_move,
)
from search.tracking.widths import CUT, DESCRIPTION, MODEL_TAG


def a_move(number, reason=""):
    return Move(version=1, how=FORCE, date=f"2026-01-01T{number:06}", code="a" * 40, reason=reason, user="quant")


def write(shelf, move):
    write_move(shelf, shelf.get_registered_model("m"), move)
    shelf.set_registered_model_alias("m", "champion", str(move.version))
    move_made(shelf, "m")


def tags_of(shelf):
    return history_tags(shelf.get_registered_model("m"))


def test_no_tag_holds_more_than_there_is_room_for_and_two_hundred_moves_are_kept(shelf, monkeypatch):
    monkeypatch.setattr(history, "MODEL_TAG", 600)
    monkeypatch.setattr(history, "KEPT_MOVES", 12)
    shelf.add("m", 1)
    moves = [a_move(number) for number in range(30)]
    for at, move in enumerate(moves, 1):
        write(shelf, move)
        assert max(map(len, tags_of(shelf).values())) <= 600
        assert whole_moves(shelf.get_registered_model("m")) == moves[max(0, at - 12) : at]
    assert len(tags_of(shelf)) <= 6, "the oldest are let go"
    assert (KEPT_MOVES, MODEL_TAG) == (200, 5000)


def test_a_history_of_older_code_that_is_longer_than_a_tag_is_read_and_moves_on(shelf):
    shelf.add("m", 1)
    moves = [a_move(number) for number in range(199)]
    shelf.set_registered_model_tag("m", HISTORY, json.dumps([asdict(each) for each in moves]))
    assert moves_of(shelf, "m") == moves
    for number in (199, 200):
        moves.append(a_move(number))
        write(shelf, moves[-1])
        assert moves_of(shelf, "m") == moves[-KEPT_MOVES:]
    assert max(map(len, tags_of(shelf).values())) <= MODEL_TAG


@pytest.mark.parametrize("reason", ["a reason " * 2000, "é" * 9000, "\U0001f600" * 9000, '"\\' * 9000])
def test_a_reason_that_has_no_room_is_cut_and_says_so(shelf, reason):
    shelf.add("m", 1)
    for number in range(3):
        write(shelf, a_move(number, reason))
    assert max(map(len, tags_of(shelf).values())) <= MODEL_TAG
    held = moves_of(shelf, "m")
    assert len(held) == 3 and all(each.reason.endswith(CUT) and reason.startswith(each.reason[:300]) for each in held)
    assert in_short(a_move(1, "short")).reason == "short"


def test_a_move_whose_alias_was_never_set_is_none(shelf):
    shelf.add("m", 2)
    write(shelf, a_move(0))
    write_move(shelf, shelf.get_registered_model("m"), Move(version=2, how=FORCE, date="x", code=""))
    assert moves_of(shelf, "m") == [a_move(0)] and BEGUN in tags_of(shelf)
    write(shelf, a_move(1))
    assert moves_of(shelf, "m") == [a_move(0), a_move(1)] and BEGUN not in tags_of(shelf)


def test_a_command_that_was_killed_while_it_filled_a_tag_doubles_no_move(shelf, monkeypatch):
    monkeypatch.setattr(history, "MODEL_TAG", 600)
    shelf.add("m", 1)
    moves = [a_move(number) for number in range(4)]
    for move in moves:
        write(shelf, move)
    filled, set_tag = shelf.get_registered_model("m").tags[HISTORY], shelf.set_registered_model_tag

    def killed(name, tag, text):
        if tag == HISTORY:
            raise KeyboardInterrupt
        set_tag(name, tag, text)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(shelf, "set_registered_model_tag", killed)
        write(shelf, a_move(4))
    assert tags_of(shelf)[HISTORY] == filled == tags_of(shelf)[f"{HISTORY}.1"]
    assert moves_of(shelf, "m") == moves
    write(shelf, a_move(5))
    assert moves_of(shelf, "m") == [*moves, a_move(5)]


@pytest.mark.slow
@pytest.mark.lesson("L40")
def test_the_champion_moves_on_where_history_and_page_are_full(tracking_server):
    client, model = MlflowClient(tracking_server.url), "many moves"
    client.create_registered_model(model)
    run = client.create_run("0").info
    for _ in range(2):
        client.create_model_version(model, f"{run.artifact_uri}/nothing", run.run_id, description="a page " * 700)
    older = Move(version=1, how=GATE, date="2026-11-26T12:00:00+00:00", code="a" * 40, user="quant")
    fitting = next(n for n in range(200) if len(json.dumps([asdict(older)] * (n + 1))) > MODEL_TAG)
    client.set_registered_model_tag(model, HISTORY, json.dumps([asdict(older)] * fitting))
    for version in (1, 2):
        move_champion(client, model, version, how=FORCE, reason="because " * 1000)
        assert int(champion_of(client, model).version) == version
    assert roll_back(client, model)[1].version == 1
    assert [each.version for each in moves_of(client, model)] == [1] * (fitting + 1) + [2, 1]
    said = client.get_model_version(model, "1").description
    assert len(said) <= DESCRIPTION and CUT in said and said.count("\n- champion ") == 2
    client.delete_registered_model(model)
    client.delete_run(run.run_id)
