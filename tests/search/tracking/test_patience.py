import errno
import os
import re
import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pandas as pd
import psycopg
import pytest
import requests
import sqlalchemy
import torch
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import BAD_REQUEST, PERMISSION_DENIED, TEMPORARILY_UNAVAILABLE
from optuna.exceptions import StorageInternalError
from safetensors.torch import save_file

import search.tracking.patience as patience
from pipeline.exceptions import InputError, StoreLostError, TrainingError
from search.tracking.patience import (
    VARIABLE,
    as_lost,
    is_away,
    is_of_store,
    longest_wait,
    patient,
    require_answered,
    wait_for,
)
from tests.disk import mount, unmount


@pytest.fixture(autouse=True)
def waiting(monkeypatch):
    """Say nothing aloud, and do not wait: what was told, and how long was slept."""
    monkeypatch.setattr(patience, "WAITING", patience._Waiting())
    now, told = [0.0], []
    monkeypatch.setattr(patience.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(patience.time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    patience.WAITING.tell = told.append
    return now, told


def wrapped(error):
    """Error of a driver as SQLAlchemy and Optuna hand it on."""
    try:
        try:
            raise sqlalchemy.exc.OperationalError("SELECT 1", {}, error) from error
        except sqlalchemy.exc.OperationalError as failed:
            raise StorageInternalError("An exception is raised during the commit.") from failed
    except StorageInternalError as told:
        return told


def of_server(text, cause=None):
    try:
        try:
            raise cause or requests.exceptions.ConnectionError("refused")
        except Exception as inner:
            raise MlflowException(f"API request failed with exception {inner}: {text}")  # noqa: B904
    except MlflowException as error:
        return error


def answered(state):
    answer = requests.Response()
    answer.status_code = state
    return requests.HTTPError(f"{state}", response=answer)


def answered_by_s3(state):
    """What its client raises, which is not installed everywhere."""
    error = type("ClientError", (Exception,), {"__module__": "botocore.exceptions"})("no")
    error.response = {"ResponseMetadata": {"HTTPStatusCode": state}}
    return error


def over(error):
    """What SQLAlchemy says of a transaction that an error has ended, as Optuna hands it on."""
    try:
        try:
            raise wrapped(error)
        except StorageInternalError:
            raise sqlalchemy.exc.PendingRollbackError("rollback() fully before proceeding")  # noqa: B904
    except sqlalchemy.exc.PendingRollbackError as ended:
        told = StorageInternalError("An exception is raised during the commit.")
        told.__cause__ = ended
        return told


class Asked:
    """Answers after so many failures."""

    def __init__(self, failures, error):
        self.failures, self.error = failures, error

    def __call__(self):
        if self.failures:
            self.failures -= 1
            raise self.error
        return "answer"


@pytest.mark.parametrize(
    "error",
    [
        wrapped(psycopg.OperationalError("connection refused")),
        wrapped(psycopg.errors.AdminShutdown("terminating connection")),
        wrapped(psycopg.errors.CannotConnectNow("the database system is starting up")),
        wrapped(psycopg.errors.DiskFull("No space left on device")),
        wrapped(psycopg.errors.TooManyConnections("sorry")),
        wrapped(psycopg.errors.QueryCanceled("statement timeout")),
        over(psycopg.errors.AdminShutdown("terminating connection")),
        of_server("x"),
        of_server("x", requests.exceptions.ReadTimeout("slow")),
        of_server("too many 503 error responses", OSError()),
        MlflowException("(psycopg.OperationalError) the server closed", TEMPORARILY_UNAVAILABLE),
        of_server("Max retries exceeded with url: /api (Caused by ResponseError('too many 500 error responses'))"),
        MlflowException("Failed to upload: HTTPError('500 Server Error: INTERNAL SERVER ERROR for url: x')"),
        *(answered(state) for state in (408, 429, 500, 502, 503, 504, 507)),
        answered_by_s3(503),
    ],
)
def test_who_does_not_answer_is_waited_for(error, waiting):
    assert is_away(error) and is_of_store(error)
    assert wait_for("the store", Asked(5, error)) == "answer"
    first, last = waiting[1]
    assert first.startswith("note: the store has not answered since ") and "waiting for it until" in first
    assert last.startswith("note: the store answers again after ")


@pytest.mark.parametrize(
    "error",
    [
        wrapped(psycopg.errors.UniqueViolation("twice")),
        over(psycopg.errors.UniqueViolation("twice")),
        MlflowException("no such run", BAD_REQUEST),
        of_server("x", ValueError("y")),
        *(answered(state) for state in (400, 404, 413, 501)),
        answered_by_s3(404),
        MlflowException("a run may hold 500 params", BAD_REQUEST),
        TrainingError("the loss is not finite"),
        KeyError("x"),
    ],
)
def test_an_answer_is_taken_as_one(error, waiting):
    assert not is_away(error) and not is_of_store(error)
    with pytest.raises(type(error)):
        wait_for("the store", Asked(1, error))
    assert waiting == ([0.0], [])


@pytest.mark.parametrize(
    "error",
    [
        wrapped(psycopg.OperationalError('password authentication failed for user "me"')),
        wrapped(psycopg.OperationalError('database "x" does not exist')),
        wrapped(psycopg.errors.InvalidPassword("no")),
        wrapped(psycopg.errors.InsufficientPrivilege("permission denied for table trials")),
        MlflowException("Permission denied", PERMISSION_DENIED),
        *(answered(state) for state in (401, 403)),
        answered_by_s3(403),
    ],
)
def test_a_store_that_lets_nobody_in_is_not_waited_for_and_no_trials_fault(error, waiting):
    assert is_of_store(error) and not is_away(error)
    with pytest.raises(type(error)):
        wait_for("the store", Asked(1, error))
    assert waiting[1] == []


@pytest.mark.parametrize("state", [401, 403])
@pytest.mark.parametrize("body", ["<html>no</html>", '{"error_code": "PERMISSION_DENIED", "message": "no"}'])
def test_what_mlflows_client_makes_of_a_refusal_is_one(state, body):
    class Refusing(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(state)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *arguments):
            """Say nothing aloud."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            with pytest.raises(MlflowException) as caught:
                MlflowClient(f"http://127.0.0.1:{server.server_port}").log_metric("0" * 32, "loss", 1.0)
        finally:
            server.shutdown()
            thread.join()
    assert is_of_store(caught.value) and not is_away(caught.value)


@pytest.mark.lesson("L41")
def test_ten_minutes_are_waited_then_one_line_ends_it_without_a_password_and_nothing_is_waited_for_again(waiting):
    error = wrapped(psycopg.OperationalError("cannot reach postgresql://me:geheim@host/db"))
    with pytest.raises(StoreLostError, match="a store must answer within 600 s, the store has not answered") as caught:
        patient("the store", Asked(10**6, error))()
    assert 590 < waiting[0][0] <= 600 and caught.value.exit_code == 2
    assert "geheim" not in str(caught.value) + "".join(waiting[1]) and "\n" not in str(caught.value)
    before, told = waiting[0][0], len(waiting[1])
    with pytest.raises(StoreLostError):
        wait_for("another", Asked(10**6, error))
    assert waiting[0][0] == before and len(waiting[1]) == told
    assert wait_for("another", Asked(0, error)) == "answer", "it is still asked"


def test_who_is_told_to_stop_waits_no_longer_than_for_its_last_words(waiting):
    patience.WAITING.is_over = lambda: waiting[0][0] > 3
    with pytest.raises(StoreLostError):
        wait_for("the store", Asked(10**6, wrapped(psycopg.OperationalError("gone"))))
    assert waiting[0][0] <= patience.OVER_SECONDS


def test_another_time_can_be_said(monkeypatch):
    monkeypatch.setenv(VARIABLE, "2.5")
    assert longest_wait() == 2.5
    monkeypatch.setenv(VARIABLE, "soon")
    with pytest.raises(InputError, match=f"{VARIABLE} must be seconds, got 'soon'"):
        longest_wait()


def test_what_may_have_arrived_is_asked_for_otherwise():
    asked = []
    error = wrapped(psycopg.OperationalError("gone"))

    def first():
        asked.append("first")
        raise error

    assert wait_for("the store", first, lambda: asked.append("again") or 7) == 7
    assert asked == ["first", "again"]


@pytest.mark.parametrize("number", ["ENOSPC", "EDQUOT", "EROFS", "EIO", "EACCES"])
def test_a_disk_of_this_machine_stops_work_at_once_and_says_so(number, waiting):
    error = OSError(getattr(errno, number), os.strerror(getattr(errno, number)), "/there/state.safetensors")
    assert is_of_store(error) and not is_away(error)
    with pytest.raises(OSError, match="state"):
        wait_for("the store", Asked(1, error))
    assert waiting == ([0.0], [])
    assert re.search(r"files and stores, got .*state\.safetensors.*; free space or make them writ", str(as_lost(error)))
    assert not is_of_store(FileNotFoundError(errno.ENOENT, "no such file"))


@pytest.mark.parametrize("kind", ["weights", "table", "text", "copy"])
def test_a_full_disk_is_one_whoever_writes_to_it(kind, tmp_path):
    (tmp_path / "disk").mkdir()
    place = mount(tmp_path / "disk", "size=64k")
    source = tmp_path / "source"
    source.write_bytes(bytes(100_000))
    write = {
        "weights": lambda path: save_file({"w": torch.zeros(50_000)}, path),
        "table": lambda path: pd.DataFrame({"p": np.random.default_rng(0).random(50_000)}).to_parquet(path),
        "text": lambda path: path.write_text("x" * 100_000),
        "copy": lambda path: shutil.copy(source, path),
    }[kind]
    try:
        with pytest.raises(Exception, match=r"No space left|os error 28") as caught:
            write(place / "file")
    finally:
        unmount(place)
    assert is_of_store(caught.value) and not is_away(caught.value)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("HTTPConnectionPool(host='h', port=1): Max retries exceeded with url: /api/2.0 (Caused by ...)", True),
        ("API request failed (Caused by ResponseError('too many 500 error responses'))", True),
        ("(psycopg.OperationalError) connection failed: connection to server at h failed\n(Background on this)", True),
        ('(psycopg.OperationalError) connection failed: password authentication failed for user "me"', False),
        ("mlflow.exceptions.MlflowException: Model m not found", False),
        ("ValueError: a window must hold 500 days", False),
    ],
)
def test_another_process_that_was_not_answered_is_told_from_one_that_failed(said, told, waiting):
    def ask():
        if not waiting[1]:
            require_answered(f"Traceback (most recent call last):\n{said}")
        return "answer"

    assert wait_for("the store", ask) == "answer" and len(waiting[1]) == 2 * told


def test_an_embedded_store_that_fails_is_one_too():
    import sqlite3

    full = sqlite3.OperationalError("database or disk is full")
    error = sqlalchemy.exc.OperationalError("INSERT", {}, full)
    error.__cause__ = full
    assert is_of_store(error) and not is_away(error)
    assert "database or disk is full" in str(as_lost(error)) and isinstance(as_lost(error), StoreLostError)
