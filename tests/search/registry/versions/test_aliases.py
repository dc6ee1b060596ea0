import json
from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow.exceptions import MlflowException

from pipeline.exceptions import InputError
from search.registry.versions.aliases import (
    CHALLENGER,
    FORCE,
    GATE,
    HISTORY,
    LEFT_OUT,
    ROLLBACK,
    Move,
    chain,
    champion_of,
    code_version,
    held_aliases,
    move_champion,
    moves_of,
    put_back,
    roll_back,
    set_challenger,
    user_name,
    with_move,
)
from search.tracking.widths import DESCRIPTION
from tests.killed_between import kills


def moved(version, how):
    return Move(version=version, how=how, date="", code="")


@given(st.lists(st.integers(1, 5), min_size=1, max_size=8))
def test_rolling_back_undoes_promotions_one_by_one(promoted):
    moves = [moved(version, GATE) for version in promoted]
    champions = chain(moves)
    while len(champions) > 1:
        moves.append(moved(champions[-2], ROLLBACK))
        shorter = chain(moves)
        assert shorter[-1] == champions[-2] and len(shorter) < len(champions)
        assert shorter == champions[: len(shorter)]
        champions = shorter


def test_a_move_is_recorded_on_the_model_and_on_the_version(shelf):
    shelf.add("m", 2)
    assert champion_of(shelf, "m") is None
    move = move_champion(shelf, "m", 2, how=FORCE, reason="the source was replaced")
    assert champion_of(shelf, "m").version == "2" or champion_of(shelf, "m").version == 2
    assert moves_of(shelf, "m") == [move]
    on_version = json.loads(shelf.get_model_version("m", "2").tags["champion.force"])
    assert on_version["reason"] == "the source was replaced"
    assert on_version["code"] == code_version() and on_version["date"].endswith("+00:00")
    assert json.loads(shelf.get_registered_model("m").tags[HISTORY]) == [on_version]


def test_rollback_goes_back_along_the_chain_and_stops_at_the_first(shelf):
    shelf.add("m", 4)
    for version in (1, 2, 4):
        move_champion(shelf, "m", version, how=GATE)
    assert roll_back(shelf, "m")[0] == 4
    before, move = roll_back(shelf, "m")
    assert (before, move.version, move.how) == (2, 1, ROLLBACK)
    with pytest.raises(InputError, match=r"an earlier champion of m \(none before 1\); patchscale promote m/NUMBER"):
        roll_back(shelf, "m")
    assert [each.version for each in moves_of(shelf, "m")] == [1, 2, 4, 2, 1]
    assert int(champion_of(shelf, "m").version) == 1


def test_rollback_to_a_version_wants_one_that_was_champion(shelf):
    shelf.add("m", 4)
    with pytest.raises(InputError, match="a rollback needs a champion, m has none; patchscale promote m/NUMBER makes"):
        roll_back(shelf, "m")
    for version in (1, 2, 4):
        move_champion(shelf, "m", version, how=GATE)
    with pytest.raises(InputError, match=r"\(1, 2 before 4\), got 3"):
        roll_back(shelf, "m", 3)
    assert roll_back(shelf, "m", 1)[1].version == 1
    assert int(champion_of(shelf, "m").version) == 1


def test_a_deleted_champion_is_passed_over(shelf):
    shelf.add("m", 3)
    for version in (1, 2, 3):
        move_champion(shelf, "m", version, how=GATE)
    shelf.delete_model_version("m", "2")
    assert roll_back(shelf, "m")[1].version == 1


def test_without_a_champion_rollback_goes_to_the_last_that_exists(shelf, command):
    shelf.add("m", 3)
    for version in (1, 2, 3):
        move_champion(shelf, "m", version, how=GATE)
    shelf.delete_model_version("m", "3")
    assert champion_of(shelf, "m") is None
    with pytest.raises(InputError, match=r"\(1, 2 in its history\), got 3"):
        roll_back(shelf, "m", 3)
    code, out, _ = command("rollback", "m")
    assert (code, out) == (0, "champion of m is now 2 again, before: none\n")
    assert roll_back(shelf, "m")[0] == 2 and int(champion_of(shelf, "m").version) == 1


def test_rollback_never_goes_to_the_champion_itself(shelf):
    shelf.add("m", 2)
    for version in (1, 2, 1):
        move_champion(shelf, "m", version, how=GATE)
    shelf.delete_model_version("m", "2")
    with pytest.raises(InputError, match="none before 1"):
        roll_back(shelf, "m")


@pytest.mark.parametrize("promoted", [(), (1,), (1, 2)])
def test_what_was_held_is_put_back_also_where_its_version_is_deleted(shelf, promoted):
    shelf.add("m", 3)
    for version in promoted:
        move_champion(shelf, "m", version, how=GATE)
        set_challenger(shelf, "m", version)
    held, moves = held_aliases(shelf, "m"), moves_of(shelf, "m")
    set_challenger(shelf, "m", 3)
    move_champion(shelf, "m", 3, how=GATE)
    put_back(shelf, "m", held)
    shelf.delete_model_version("m", "3")
    assert held_aliases(shelf, "m") == held and moves_of(shelf, "m") == moves
    assert set(held.aliases.values()) == {str(version) for version in promoted[-1:]}


def test_the_newest_version_is_challenger(shelf):
    shelf.add("m", 2)
    set_challenger(shelf, "m", 1)
    set_challenger(shelf, "m", 2)
    assert str(shelf.get_model_version_by_alias("m", CHALLENGER).version) == "2"
    with pytest.raises(InputError, match="must take an alias for m/9"):
        set_challenger(shelf, "m", 9)


def test_the_command_rolls_back_and_answers_mistakes_in_one_line(shelf, command):
    shelf.add("m", 2)
    for version in (1, 2):
        move_champion(shelf, "m", version, how=GATE)
    code, out, _ = command("rollback", "m")
    assert (code, out.count("\n")) == (0, 1)
    assert "champion of m is now 1 again, before: 2" in out
    for arguments in (
        ("rollback", "m"),
        ("rollback", "m", "--to", "x"),
        ("rollback", "n"),
        ("rollback", "m", "--to", "2"),
    ):
        code, out, err = command(*arguments)
        assert (code, out, err.count("\n")) == (2, "", 1), arguments


def test_a_versions_page_says_how_it_became_champion(shelf):
    shelf.add("m", 2)
    move_champion(shelf, "m", 1, how=GATE)
    move_champion(shelf, "m", 2, how=FORCE, reason="the source was replaced")
    roll_back(shelf, "m")
    first, second = (shelf.get_model_version("m", str(number)).description for number in (1, 2))
    assert 'because "the source was replaced": the gate did not hold' in second and user_name() in second
    assert first.count("### Champion") == second.count("### Champion") == 1
    assert [line.split(", ")[1].split(" by ")[0] for line in first.splitlines()[1:]] == [
        "the gate held",
        "rolled back to",
    ]


def test_moves_of_older_code_are_read(shelf):
    shelf.add("m", 1)
    old = {"version": 1, "how": "force", "date": "2026-01-01", "code": "abc", "reason": "why"}
    shelf.set_registered_model_tag("m", HISTORY, json.dumps([old]))
    (move,) = moves_of(shelf, "m")
    assert move.user == "" and move.text() == 'champion 2026-01-01, forced because "why": the gate did not hold'


def test_a_page_that_is_full_says_which_moves_are_cut():
    described = "h" * 3000
    for number in range(4):
        move = replace(moved(1, FORCE), date=str(number), reason="x" * 1500 if number else "")
        described = with_move(described, move)
        assert len(described) <= DESCRIPTION
    assert described.count(LEFT_OUT) == 1 and described.splitlines()[-1].startswith("- champion 3, forced")
    assert "champion 0" not in described and described.startswith("h" * 2000)
    assert with_move(described, move) == described, "said once"


WRITES = [
    f"mlflow.MlflowClient.{name}"
    for name in (
        *("set_registered_model_tag", "set_registered_model_alias", "set_model_version_tag", "update_model_version"),
        "delete_registered_model_tag",
    )
]


@pytest.mark.slow
@pytest.mark.lesson("L40")
def test_a_rollback_that_is_killed_anywhere_is_finished_by_the_same_command(shelf, home, command):
    shelf.add("m", 3)
    for version in (1, 2, 3):
        move_champion(shelf, "m", version, how=GATE)
    held, before = held_aliases(shelf, "m"), moves_of(shelf, "m")
    seen = []
    for _ in kills(home, ["rollback", "m"], WRITES):
        seen.append(int(champion_of(shelf, "m").version))
        assert [each.version for each in moves_of(shelf, "m")] == [1, 2, 3] + [2] * (seen[-1] == 2)
        code, out, _ = command("rollback", "m")
        assert (code, out) == (0, "champion of m is now 2 again, before: 3; patchscale promote brings it back\n")
        *kept, last = moves_of(shelf, "m")
        assert kept == before and (last.version, last.how) == (2, ROLLBACK)
        version = shelf.get_model_version("m", "2")
        assert json.loads(version.tags["champion.rollback"]) == asdict(last)
        assert version.description.count("rolled back to") == 1
        put_back(shelf, "m", held)
        shelf.delete_model_version_tag("m", "2", "champion.rollback")
        shelf.update_model_version("m", "2", description="")
        assert held_aliases(shelf, "m") == held
    assert set(seen) == {2, 3} and len(seen) >= 5


def test_where_the_history_can_not_be_written_nothing_moves(shelf, monkeypatch):
    shelf.add("m", 2)
    move_champion(shelf, "m", 1, how=GATE)

    def full(model, name, text):
        raise MlflowException("value too long for type character varying(5000)")

    with monkeypatch.context() as patch, pytest.raises(MlflowException):
        patch.setattr(shelf, "set_registered_model_tag", full)
        move_champion(shelf, "m", 2, how=GATE)
    assert int(champion_of(shelf, "m").version) == 1 and [each.version for each in moves_of(shelf, "m")] == [1]
