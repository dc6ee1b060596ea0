"""Signals while a study is worked on: they unwind the command, or are noted while it closes."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

Handler = Callable[[int, FrameType | None], None]


@contextmanager
def handled_by(handler: Handler) -> Iterator[None]:
    """Inside, give signals to this handler."""
    previous = {number: signal.signal(number, handler) for number in SIGNALS}
    try:
        yield
    finally:
        for number, before in previous.items():
            signal.signal(number, before)


class Signals:
    """Let SIGTERM and SIGHUP unwind like Ctrl-C does inside, so that every run is ended.

    Attributes
    ----------
    noted : int, optional
        The first signal that came after :meth:`only_note`.
    """

    def __init__(self) -> None:
        self.noted: int | None = None
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> Signals:
        self._previous = {number: signal.getsignal(number) for number in SIGNALS}
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, _end)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def only_note(self) -> None:
        """From now on let no signal disturb, and remember the first."""
        for number in SIGNALS:
            signal.signal(number, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.noted = self.noted or number


def _end(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)
