"""A server that ends with whoever started it, however that ends: a process between the two waits for either.

Run as a program it starts a command in a session of its own, says its process id, and ends it when its standard input
is closed, which a killed parent does too.  What the server wrote is then removed, unless a byte came before the end.
"""

from __future__ import annotations

import json
import os
import pwd
import select
import shutil
import signal
import socket
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

POLL_SECONDS, END_SECONDS = 0.1, 30
KEEP = b"k"


class Supervised(ABC):
    """A server in a directory of its own, as its subclass says.

    Parameters
    ----------
    directory : Path
        Short, since sockets lie in it; removed with the server.
    """

    end_by = signal.SIGTERM
    user: str | None = None

    def __init__(self, directory: Path) -> None:
        self.directory, self.port = directory, free_port()
        self.pid = 0
        self._between: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def command(self) -> list[str]:
        """Say what is run."""

    def environment(self) -> Mapping[str, str]:
        """Say which variables it has beside ours."""
        return {}

    @abstractmethod
    def wait_until_ready(self) -> None:
        """Return when it answers."""

    def start(self) -> None:
        """Start it, and wait until it answers."""
        request = {
            "command": self.command(),
            "directory": str(self.directory),
            "user": self.user,
            "signal": int(self.end_by),
        }
        self._between = subprocess.Popen(
            [sys.executable, "-S", __file__, json.dumps(request)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **self.environment()},
            start_new_session=True,
        )
        assert self._between.stdout is not None
        self.pid = int(self._between.stdout.readline())
        self.wait_until_ready()

    def stop(self, by: signal.Signals | None = None, *, keep: bool = True) -> None:
        """End it, perhaps by another signal than its own; what it wrote is kept for the next start."""
        if self._between is None:
            return
        if by is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, by)
        with suppress(BrokenPipeError):
            self._between.communicate(KEEP if keep else b"")
        self._between = None

    def restart(self, by: signal.Signals | None = None) -> None:
        """Stop and start it, on the same port."""
        self.stop(by)
        self.start()

    def close(self) -> None:
        """End it and remove what it wrote."""
        self.stop(keep=False)
        shutil.rmtree(self.directory, ignore_errors=True)

    def require_alive(self) -> None:
        """Fail with what it said where it ended by itself."""
        if self._between is None or self._between.poll() is not None:
            raise ChildProcessError(f"{self.command()[0]} ended:\n{self.log()}")

    def log(self) -> str:
        """What it said."""
        path = self.directory / "log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""


def free_port() -> int:
    """Find a port of loopback that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _supervise(command: Sequence[str], directory: str, user: str | None, number: int) -> None:
    own: dict[str, Any] = {}
    if user is not None:
        own = {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}
    with open(os.path.join(directory, "log"), "ab") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=directory, start_new_session=True, **own
        )
    print(process.pid, flush=True)
    while process.poll() is None and not select.select([sys.stdin], [], [], POLL_SECONDS)[0]:
        pass
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)
    with suppress(subprocess.TimeoutExpired):
        process.wait(END_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if not sys.stdin.buffer.read():
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    _supervise(asked["command"], asked["directory"], asked["user"], asked["signal"])
