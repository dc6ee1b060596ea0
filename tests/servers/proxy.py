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

    def _forward(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while held := source.recv(CHUNK):
                time.sleep(self.delay)
                self._flows.wait()
                sink.sendall(held)
        for each in () if self._torn else (source, sink):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
