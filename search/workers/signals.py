"""Signals while a study is worked on: they unwind the command, or are noted while it closes."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import Self

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

Handler = Callable[[int, FrameType | None], None]


@contextmanager
def handled_by(handler: Handler, numbers: Iterable[signal.Signals] = SIGNALS) -> Iterator[None]:
    """Inside, give signals to this handler."""
    previous = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, before in previous.items():
            signal.signal(number, before)


class Signals(ExitStack):
    """Let SIGTERM and SIGHUP unwind like Ctrl-C does inside, so that every run is ended.

    Attributes
    ----------
    noted : int, optional
        The first signal that came after :meth:`only_note`.
    """

    noted: int | None = None

    def __enter__(self) -> Self:
        self.enter_context(handled_by(_end, (signal.SIGTERM, signal.SIGHUP)))
        return self

    def only_note(self) -> None:
        """From now on let no signal disturb, and remember the first."""
        self.enter_context(handled_by(self._note))

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.noted = self.noted or number


def _end(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)
