import psycopg
import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

import search.tracking.answering as answering
from search.tracking.answering import SilentError, listen_to_servers, listened_to
from search.tracking.patience import VARIABLE, is_away

NOTHING, SOMETHING = 0, 1


@pytest.fixture
def now(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(answering.time, "monotonic", lambda: clock[0])
    return clock


def question(heard):
    """What psycopg waits for: an answer of three pieces."""
    for _ in range(3):
        while not (yield "read"):
            pass
        heard.append("piece")
    return "answer"


def hear(waiting, now, pieces, pause):
    """Let each be sent after so many seconds; what comes of it."""
    next(waiting)
    try:
        for piece in pieces:
            now[0] += pause
            waiting.send(piece)
    except StopIteration as end:
        return end.value
    return None


def test_an_answer_that_comes_in_pieces_is_waited_for_however_long_it_takes(now):
    heard = []
    pieces = [NOTHING, SOMETHING] * 3
    assert hear(listened_to(question(heard)), now, pieces, 29) == "answer"
    assert heard == ["piece"] * 3 and now[0] > answering.LONGEST_SILENCE


@pytest.mark.parametrize(("variable", "longest"), [("", 60), ("20", 10)])
def test_silence_is_a_server_that_is_away(now, monkeypatch, variable, longest):
    monkeypatch.setenv(VARIABLE, variable)
    heard = []
    with pytest.raises(SilentError, match=f"took a question and did not answer for {longest} s") as raised:
        hear(listened_to(question(heard)), now, [SOMETHING, *[NOTHING] * 100], 1)
    assert (now[0], heard) == (longest + 2, ["piece"]) and is_away(raised.value)


def test_every_engine_by_psycopg_listens_and_it_is_told_once(monkeypatch):
    listen_to_servers()
    listen_to_servers()
    assert event.contains(Engine, "do_connect", answering._connect)
    made = []
    monkeypatch.setattr(answering.AnsweringConnection, "connect", lambda *arguments, **named: made.append(named))

    class Dialect:
        driver = "pysqlite"

    assert answering._connect(Dialect, None, (), {"a": 1}) is None and made == []
    Dialect.driver = "psycopg"
    answering._connect(Dialect, None, (), {"a": 1})
    assert made == [{"a": 1}] and issubclass(answering.AnsweringConnection, psycopg.Connection)
