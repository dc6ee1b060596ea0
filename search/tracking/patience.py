"""Patience with servers: a store that was reached and does not answer is waited for, ten minutes at most.

Nothing is lost while a database restarts, drops connections, is full or slow: a call that it did not answer is made
again.  So is one that a server answered by an error of its own (HTTP 500), as where the disk of its artifacts is full.
Who waits says for what, since when and until when.  A store that stays away ends the command by one line, and so does
a disk of this machine at once; the trials that ran then are interrupted, and the same command goes on with them.
"""

from __future__ import annotations

import errno
import math
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import wraps
from typing import Any, TypeVar

from pipeline.exceptions import InputError, StoreError, StoreLostError, describe_error, shortened
from pipeline.redaction import redacted

LONGEST_SECONDS, MOST_SECONDS = 600.0, 366 * 86_400.0
VARIABLE = "PATCHSCALE_STORE_WAIT"
"""Variable that holds other seconds than those."""
OVER_SECONDS = 10.0
"""For how long a command that was told to stop still waits."""
LONGEST_CAUSE = 160
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 5.0
NEVER_HEALED = ("authentication failed", "does not exist", "permission denied", "no pg_hba.conf entry")
"""What a server says of a wrong address: waiting helps nobody."""
BUSY_STATES = ("08", "40", "53", "55006", "57")
"""Beginnings of PostgreSQL's codes: connection, rollback, resources, object in use, operator."""
UNAVAILABLE = ("TEMPORARILY_UNAVAILABLE", "REQUEST_LIMIT_EXCEEDED")
PASSING = (408, 429, 500, 502, 503, 504, 507)
"""HTTP's states that say of a server that it can't now, not of a request that it is wrong."""
REFUSED = (401, 403)
REFUSED_CODES = ("UNAUTHENTICATED", "CUSTOMER_UNAUTHORIZED", "PERMISSION_DENIED")
REFUSED_BY_POSTGRES = ("28", "42501")
"""Beginnings of its codes for who may not come in, and for what one may not do."""
TOLD = re.compile(rf"\btoo many ({'|'.join(map(str, PASSING))})\b|\b(5\d\d) Server Error\b")
"""How libraries tell of them that name no cause."""
AWAY_TOLD = (
    *("Max retries exceeded with url", "Connection aborted", "Connection refused", "Read timed out"),
    *("psycopg.OperationalError", "psycopg.errors.AdminShutdown"),
)
"""How a traceback tells of a server that was not reached."""
DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ESTALE, errno.EACCES, errno.EPERM)
DISK_TOLD = ("No space left on device", "Disk quota exceeded", "Read-only file system", "Input/output error")
"""What a disk of this machine says, and how libraries tell of it that raise no OSError."""

OUT_OF_REACH = {
    *("requests.ConnectionError", "requests.Timeout", "requests.ChunkedEncodingError"),
    *("botocore.ConnectionError", "botocore.HTTPClientError"),
}
OF_SERVERS = {"mlflow.MlflowException", "urllib3.MaxRetryError", "requests.HTTPError", "botocore.ClientError"}
"""Errors that may tell of an answer."""

F = TypeVar("F", bound=Callable[..., Any])


class AwayError(Exception):
    """What another process said of a server that did not answer it."""


class _Waiting:
    """What this process waits for: whom it tells, who may end it, and what it has given up."""

    def __init__(self) -> None:
        self.tell: Callable[[str], None] = lambda line: print(line, file=sys.stderr, flush=True)
        self.is_over: Callable[[], bool] = lambda: False
        self.given_up = False

    def renew(self) -> None:
        """Forget that somebody ended the work before this, and what it gave up."""
        self.is_over, self.given_up = (lambda: False), False


WAITING = _Waiting()


def patient(about: str, function: F) -> F:
    """Make a call of a store patient, a server's name in ``about``."""

    @wraps(function)
    def call(*arguments: Any, **named: Any) -> Any:
        return wait_for(about, lambda: function(*arguments, **named))

    return call  # type: ignore[return-value]


def wait_for(about: str, ask: Callable[[], Any], again: Callable[[], Any] | None = None) -> Any:
    """Ask a store until it answers.

    Parameters
    ----------
    about : str
        Which store, in words.
    ask : callable
        Asks it.
    again : callable, optional
        Asks again after it did not answer, where that must not be done as the first time: the first may have arrived.

    Raises
    ------
    StoreLostError
        If it does not answer for ten minutes, or somebody ends the command meanwhile.
    """
    try:
        return ask()
    except Exception as error:
        if not is_away(error):
            raise
        away = error
    return _ask_again(about, again or ask, away)


def _ask_again(about: str, ask: Callable[[], Any], error: Exception) -> Any:
    longest = longest_wait()
    began, since = time.monotonic(), datetime.now().astimezone()
    until = f"{since + timedelta(seconds=longest):%H:%M:%S}"
    said = f"{about} has not answered since {since:%H:%M:%S} ({_cause(error)})"
    if not WAITING.given_up:
        WAITING.tell(f"note: {redacted(said)}: waiting for it until {until}")
    for pause in _pauses():
        left = min(longest, OVER_SECONDS) if WAITING.is_over() else longest
        if WAITING.given_up or time.monotonic() - began + pause > left:
            WAITING.given_up = True
            raise StoreLostError(f"a store must answer within {longest:.0f} s, {said}; repeat the command when it does")
        time.sleep(pause)
        try:
            answer = ask()
        except Exception as again:
            if not is_away(again):
                raise
        else:
            WAITING.tell(f"note: {redacted(about)} answers again after {time.monotonic() - began:.0f} s")
            return answer
    raise AssertionError("pauses never end")


def longest_wait() -> float:
    """Seconds that a store is waited for."""
    text = os.environ.get(VARIABLE, "")
    try:
        seconds = float(text or LONGEST_SECONDS)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds <= MOST_SECONDS:
        raise InputError(f"{VARIABLE} must be seconds, got {text!r}; take 0 to {MOST_SECONDS:.0f}")
    return seconds


def is_away(error: BaseException) -> bool:
    """Whether an error says that a server could not answer, and nothing of what it was asked."""
    return not isinstance(error, StoreError) and any(map(_says_away, _chain(error)))


def require_answered(said: str) -> None:
    """Look for a server that did not answer in what another process said when it failed.

    Raises
    ------
    AwayError
        With the first line that tells of it, for :func:`wait_for`.
    """
    lines = [line for line in said.splitlines() if TOLD.search(line) or any(words in line for words in AWAY_TOLD)]
    if lines and not any(words in said for words in NEVER_HEALED):
        raise AwayError(lines[0].strip())


def is_of_store(error: BaseException) -> bool:
    """Whether a store, embedded or a server, or this machine's disk stopped something, no fault of what was done.

    One that lets nobody in any more is among them: a password can end in the midst of a study.
    """
    names = {f"{type(each).__module__}.{type(each).__name__}" for each in _chain(error)}
    if is_away(error) or isinstance(error, StoreLostError) or "sqlite3.OperationalError" in names:
        return True
    return _of_disk(error) or any(map(_refuses, _chain(error)))


def _refuses(error: BaseException) -> bool:
    kinds = _kinds(error)
    if kinds & {"psycopg.Error", "psycopg2.Error"}:
        return "psycopg.OperationalError" in kinds or (_sql_state(error) or "").startswith(REFUSED_BY_POSTGRES)
    if "mlflow.MlflowException" in kinds and getattr(error, "error_code", "") in REFUSED_CODES:
        return True
    return bool(kinds & OF_SERVERS) and _answered_state(error) in REFUSED


def _of_disk(error: BaseException) -> bool:
    return any(
        (isinstance(each, OSError) and each.errno in DISK) or any(words in str(each) for words in DISK_TOLD)
        for each in _chain(error)
    )


def as_lost(error: Exception) -> StoreLostError:
    """Say of a store that stopped something that it is lost."""
    if isinstance(error, StoreLostError):
        return error
    what, remedy = "its stores", "see patchscale verify"
    if _of_disk(error) and not is_away(error):
        what, remedy = "its files and stores", "free space or make them writable"
    return StoreLostError(
        f"a command must be able to read and write {what}, got {describe_error(error)}; {remedy}, and "
        "repeat the command: what was trained so far is kept"
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        names_no_cause = type(error).__module__.startswith("mlflow.") or "sqlalchemy.PendingRollbackError" in _kinds(
            error
        )
        error = error.__cause__ or (error.__context__ if names_no_cause else None)


def _cause(error: BaseException) -> str:
    """Say it as the driver did, below what libraries made of it."""
    said = [each for each in _chain(error) if _says_away(each)]
    states = {state for each in said if (state := _http_state(each))}
    if states:
        return f"it answers with HTTP {min(states)}, as one does whose disk is full"
    return shortened(describe_error(said[-1]), LONGEST_CAUSE)


def _http_state(error: BaseException) -> int | None:
    """Status by which a server said that it can't now; None if an error tells of none."""
    state = _answered_state(error)
    found = TOLD.search(str(error))
    state = state or (int(found[1] or found[2]) if found else None)
    return state if state in PASSING else None


def _answered_state(error: BaseException) -> int | None:
    answer = getattr(error, "response", None)
    if isinstance(answer, dict):  # of S3
        return answer.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return getattr(answer, "status_code", None)


def _sql_state(error: BaseException) -> str | None:
    return getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)


def _kinds(error: BaseException) -> set[str]:
    """Its classes, by their packages."""
    return {f"{kind.__module__.partition('.')[0]}.{kind.__name__}" for kind in type(error).__mro__}


def _says_away(error: BaseException) -> bool:
    kinds = _kinds(error)
    text = str(error)
    if isinstance(error, AwayError):
        return True
    if kinds & {"psycopg.OperationalError", "psycopg2.OperationalError", "psycopg.InterfaceError"}:
        state = _sql_state(error)
        if state is not None:
            return str(state).startswith(BUSY_STATES)
        return not any(words in text for words in NEVER_HEALED)
    if kinds & {"sqlalchemy.DBAPIError"} and getattr(error, "connection_invalidated", False):
        return True
    if kinds & OUT_OF_REACH:
        return True
    if "mlflow.MlflowException" in kinds and getattr(error, "error_code", "") in UNAVAILABLE:
        return True
    return bool(kinds & OF_SERVERS) and _http_state(error) is not None


def _pauses() -> Iterator[float]:
    pause = FIRST_PAUSE
    while True:
        yield pause
        pause = min(2 * pause, LONGEST_PAUSE)
