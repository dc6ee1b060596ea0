"""A proxy before a server of loopback: what passes it can be delayed, held back or cut off."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress

CHUNK = 65536


class Proxy:
    """Forwards connections to a port, inside a ``with``; every piece comes ``delay`` seconds late."""

    def __init__(self, port: int, delay: float = 0.0) -> None:
        self.target, self.delay = port, delay
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        self._open: list[socket.socket] = []
        self._near: list[socket.socket] = []
        self._torn = False
        self._flows = threading.Event()
        self._flows.set()

    def __enter__(self) -> Proxy:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *cause: object) -> None:
        self._listening.close()
        self.cut()

    def hang(self, seconds: float) -> None:
        """Take connections and whatever they send, and pass nothing on for so long."""
        self._flows.clear()
        time.sleep(seconds)
        self._flows.set()

    def tear(self) -> None:
        """Close every connection on the near side only: the server is not told, as where a network lost one."""
        self._torn = True
        for each in self._near:
            each.shutdown(socket.SHUT_RDWR)

    def cut(self) -> None:
        """Close every connection in mid-sentence."""
        for each in self._open:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        self._open.clear()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listening.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                near.close()
                continue
            self._open += [near, far]
            self._near.append(near)
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._forward, args=(source, sink), daemon=True).start()

    def _passes(self, held: bytes, source: socket.socket, sink: socket.socket) -> bool:
        """Whether a piece goes on; the connection is closed where it does not."""
        return True

    def _forward(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while (held := source.recv(CHUNK)) and self._passes(held, source, sink):
                time.sleep(self.delay)
                self._flows.wait()
                sink.sendall(held)
        for each in () if self._torn else (source, sink):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


class LosingAnswers(Proxy):
    """Loses the first answer to each of these requests, which the server has done by then.

    Parameters
    ----------
    port : int
        Of an HTTP server.
    *requests : str
        Parts of their first lines.
    """

    def __init__(self, port: int, *requests: str) -> None:
        super().__init__(port)
        self.left = list(requests)
        self._deaf: set[socket.socket] = set()

    def _passes(self, held: bytes, source: socket.socket, sink: socket.socket) -> bool:
        if source in self._deaf:
            return False
        line = held.partition(b"\r\n")[0].decode("latin-1")
        found = next((each for each in self.left if each in line), None) if source in self._near else None
        if found is not None:
            self.left.remove(found)
            self._deaf.add(sink)
        return True
