"""Who holds a lock, and how long another command waits for it."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from pipeline.exceptions import StoreError

DEAD_OWNER_SECONDS = 90
"""How long a lock may outlive the command that took it, in workers that are still to notice its end."""
POLL_SECONDS = 0.2
WAIT = 600.0
"""Seconds that a command waits for what another is about to finish, where it has its own work to do with it."""
SAY_AFTER = 1.0
"""Seconds after which it says so."""
BRIEF = "brief"
"""Second line of a lock's file whose holder is waited for; older code wrote the number of the process alone."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Holder:
    """Who holds a lock.

    Parameters
    ----------
    pid, host : str
        Process and where it runs; empty is unknown.
    since : int, optional
        Seconds since 1970; None is unknown.
    brief : bool
        Whether it is waited for.
    """

    pid: str = ""
    host: str = ""
    since: int | None = None
    brief: bool = False

    def __str__(self) -> str:
        """Say process, host and since when, as far as they are known."""
        began = "" if self.since is None else f" since {datetime.fromtimestamp(self.since, UTC):%Y-%m-%d %H:%M:%S} UTC"
        return f"{self.pid or 'unknown'}{self.host and f' on {self.host}'}{began}"

    @property
    def is_here(self) -> bool:
        """Whether it is of this machine, as far as is known."""
        return self.host in ("", socket.gethostname())

    @property
    def is_gone(self) -> bool:
        """Whether it is of this machine and has ended."""
        return self.is_here and not is_alive(self.pid)


def owned(name: str) -> str:
    """Say what a holder's process is named after."""
    return f"study {name} in use by process"


def in_campaign(name: str) -> str:
    """Say the same of a study that a campaign will come to."""
    return f"study {name} in the campaign of process"


def in_use(what: str, holder: Holder) -> StoreError:
    """Make the error for what another command holds.

    Parameters
    ----------
    what : str
        From :func:`owned` or :func:`in_campaign`.
    holder : Holder
        Who holds it.
    """
    place = str(holder).removeprefix(holder.pid or "unknown").strip()
    return StoreError(
        f"a study is worked on by one command at a time, got {what} {holder.pid or 'unknown'}; wait for it, or stop it "
        f"and repeat this command{place and f' ({place})'}"
    )


def acquire(take: Callable[[], bool], holder: Callable[[], Holder], what: str, wait: float) -> None:
    """Take a lock, as soon as a brief holder is done.

    Parameters
    ----------
    take, holder : callable
        Whether it was free and is held now, and who holds it.
    what : str
        From :func:`owned` or :func:`in_campaign`.
    wait : float
        Seconds that a brief holder is waited for.

    Raises
    ------
    StoreError
        If it is held by one that may work for hours, or for longer than that.
    """
    started, said = time.monotonic(), False
    while not take():
        found = holder()
        waited = time.monotonic() - started
        if waited >= _patience(found, wait):
            raise in_use(what, found)
        if waited >= SAY_AFTER and not said:
            named = (found.pid or "unknown") if found.is_here else str(found)
            print(f"note: {what} {named}: waiting for it", file=sys.stderr, flush=True)
            said = True
        time.sleep(POLL_SECONDS)


def _patience(holder: Holder, wait: float) -> float:
    """Seconds to wait for a holder in all; what stands in its file may still be of the one before, or nothing yet."""
    if holder.is_gone:
        return max(wait, DEAD_OWNER_SECONDS) if holder.brief else DEAD_OWNER_SECONDS
    return wait if holder.brief else POLL_SECONDS


def is_alive(pid: str) -> bool:
    """Whether a process of this host has this number; False for a text that is none."""
    try:
        os.kill(int(pid), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        pass
    return True
