"""Secrets of connections: told from what may be shown, and taken out of every message.

Whoever reads an address or a variable that holds a password says so by :func:`keep_secret`; everything that is told of
an error passes :func:`redacted`, which leaves out what was kept, and what stands in the place of a password in any
address.
"""

from __future__ import annotations

import json
import os
import re
import sys
import threading
import traceback
from collections.abc import Iterable
from types import TracebackType
from urllib.parse import parse_qsl, quote, quote_plus, unquote, unquote_plus

HIDDEN = "***"
SHORTEST = 4
"""Letters of a secret that is looked for by itself; a shorter one would be found in any text."""
SECRET_NAMES = r"(?:\w*password|\w*passwd|passphrase|token|secret|sslkey)"
IN_ADDRESS = re.compile(r"(?<=://)(?P<before>[^\s/:@?#]*:)[^\s]*(?=@)")
"""After a scheme, which is not matched: a search for where it begins takes the square of a long word's letters."""
IN_QUERY = re.compile(rf"(?P<before>[?&;\s]{SECRET_NAMES}=)[^&;\s'\"]+", re.IGNORECASE)
VARIABLES = ("PGPASSWORD", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN")

_kept: set[str] = set()


def keep_secret(*secrets: str) -> None:
    """Let no message hold one of these, in whatever way an address or a text writes it."""
    for secret in secrets:
        plain = {secret, unquote(secret), unquote_plus(secret)}
        ways = (quote, quote_plus, lambda text: quote(text, safe=""), lambda text: quote(text, safe=" +"))
        written = {way(each) for each in plain for way in ways} | plain
        texts = written | {repr(each)[1:-1] for each in written} | {json.dumps(each)[1:-1] for each in written}
        _kept.update(each for each in texts if len(each) >= SHORTEST)


def keep_secret_variables() -> None:
    """Keep what the environment says to databases and servers beside their addresses."""
    keep_secret(*(os.environ[name] for name in VARIABLES if os.environ.get(name)))


def secrets_of(address: str) -> tuple[str, ...]:
    """Secrets that an address holds, as they are written in it.

    Examples
    --------
    >>> secrets_of("postgresql://me:p%40ss@host/db?sslpassword=x"), secrets_of("postgresql://me@host/db")
    (('p%40ss', 'x'), ())
    """
    rest = address.partition("://")[2]
    before, at, _ = rest.rpartition("@")
    password = before.partition(":")[2] if at and not rest.startswith("/") else ""
    named = [value for name, value in parse_qsl(rest.partition("?")[2]) if re.fullmatch(SECRET_NAMES, name, re.I)]
    return tuple(each for each in (password, *named) if each)


def holds_secret(text: str) -> bool:
    """Whether a text holds a secret that is not hidden yet, in an address or as connections name one.

    Examples
    --------
    >>> holds_secret("postgresql://me:word@host/db"), holds_secret("host=db password=word")
    (True, True)
    >>> holds_secret("postgresql://me:***@host/db"), holds_secret("2M")
    (False, False)
    """
    return any(each != HIDDEN for each in secrets_of(text)) or redacted(text) != text


def redacted(text: str) -> str:
    """Take every secret out of a text.

    Examples
    --------
    >>> redacted("got postgresql://me:p@ss/word@host/db?sslpassword=x of user me")
    'got postgresql://me:***@host/db?sslpassword=*** of user me'
    """
    for secret in sorted(_kept, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return IN_QUERY.sub(rf"\g<before>{HIDDEN}", "".join(map(_without_password, re.split(r"(\s+)", text))))


def _without_password(word: str) -> str:
    """Hide what stands before the last @ of an address; only so far is looked, which takes one way through a word."""
    address, at, rest = word.rpartition("@")
    return IN_ADDRESS.sub(rf"\g<before>{HIDDEN}", address + at) + rest


def redacted_traceback(error: BaseException) -> str:
    """Traceback of an error, as Python prints it, without secrets."""
    return redacted("".join(traceback.format_exception(error)))


def redact_tracebacks() -> None:
    """Let what nobody caught be printed without secrets, in whatever thread it comes up."""

    def say(kind: type[BaseException], error: BaseException | None, where: TracebackType | None) -> None:
        told: Iterable[str] = traceback.format_exception(kind, error, where)
        print(redacted("".join(told)), end="", file=sys.stderr, flush=True)

    def say_of_thread(arguments: threading.ExceptHookArgs) -> None:
        if arguments.exc_type is not SystemExit:
            say(arguments.exc_type, arguments.exc_value, arguments.exc_traceback)

    sys.excepthook, threading.excepthook = say, say_of_thread
