"""The engine: where trials run; the coordinator knows only this of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, Self

Event = dict[str, Any]
"""What a hand says: ``event`` is one of

======================  ================================================================================
``ready``               it can run a trial; ``host`` is its machine
``started``             it began with the trial ``number``
``epoch``               and finished an epoch of it
``finished``            it is done with the trial and ready for the next; so are ``reused``, ``pruned``
                        ``failed`` (``error``), and ``closed``: by somebody else, so that it is not ours any more
``interrupted``         it stopped the trial when it was told to
``left``                it ended when it was told to, or between two trials without an error
``lost``                it ended otherwise (``error``); ``node_lost`` is True if its machine did
======================  ================================================================================
"""
DONE = ("finished", "reused", "pruned", "failed", "closed")
"""Events after which a hand is free."""
GONE = ("left", "lost")
"""Events after which a hand is no more."""

NODE_LOST = "node_lost"


class Hand(Protocol):
    """One that runs a trial at a time."""

    def __hash__(self) -> int:
        """Tell it from every other."""
        ...


class Engine(Protocol):
    """Hands that run trials inside a ``with``, and end with it."""

    @property
    def hands(self) -> Sequence[Hand]:
        """Those that have started and not ended."""
        ...

    def __enter__(self) -> Self:
        """Give the engine."""
        ...

    def __exit__(self, *cause: object) -> None:
        """End every hand at once."""
        ...

    def start(self, count: int) -> None:
        """Start so many hands more; each says ``ready``."""
        ...

    def run(self, hand: Hand, trial: int) -> None:
        """Let a hand that is ready run the trial of this id in the schedule."""
        ...

    def dismiss(self, hand: Hand) -> None:
        """Let a hand end that there is no trial for."""
        ...

    def events(self, timeout: float) -> list[tuple[Hand, Event]]:
        """Wait at most so many seconds for what hands say, in the order in which they say it."""
        ...

    def stop(self) -> None:
        """Let every hand end after its epoch; a signal handler may call this."""
        ...

    def kill(self) -> None:
        """End every hand at once."""
        ...
