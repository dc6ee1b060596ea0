"""Leases that this process holds on servers: whoever is about to write asks first whether each is still its own.

A server that restarts, or a network that breaks, ends the session that holds a lease, and another command may come in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any

_held: list[Callable[[], None]] = []
_own: ContextVar[bool] = ContextVar("own", default=False)


@contextmanager
def held(require: Callable[[], None]) -> Iterator[None]:
    """Have what is written inside ask this first.

    Parameters
    ----------
    require : callable
        Raises where its lease was lost.
    """
    _held.append(require)
    try:
        yield
    finally:
        _held.remove(require)


@contextmanager
def of_nobody_else() -> Iterator[None]:
    """Write inside what no other command goes on with, as the end of a run of this command's own, whatever was lost."""
    token = _own.set(True)
    try:
        yield
    finally:
        _own.reset(token)


def require_held() -> None:
    """Make sure that every lease of this process is still its own.

    Raises
    ------
    LostLeaseError
        If another command took one over.
    StoreLostError
        If a server that holds one does not answer for ten minutes.
    """
    if not _own.get():
        for require in tuple(_held):
            require()


def guarded(kind: type, name: str) -> Any:
    """Make of a method that writes one that asks first.

    Examples
    --------
    >>> guarded(list, "append")([], "written")
    """

    @wraps(getattr(kind, name))
    def call(self: Any, *arguments: Any, **named: Any) -> Any:
        require_held()
        return getattr(kind, name)(self, *arguments, **named)

    return call
