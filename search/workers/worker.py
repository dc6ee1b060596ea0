"""A worker process: one thread, one order at a time; ``main`` runs trials.

It reads an order a line from standard input and writes an event a line to standard output, both JSON.  When its
input closes, because the coordinator is gone, it exits at once: no orphans, and the next command repairs.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import socket
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from search.study.study import Study

Prepare = Callable[["Study", str, "Told"], Callable[[Any], None]]
RUN, STOP = "run", "stop"
"""Orders: the first is a field, whose value is a trial's id in the schedule."""


class Told(ABC):
    """What a worker is told, and how it answers.

    Attributes
    ----------
    stop : Event
        Set as soon as it is told to stop, also while it works, and when nobody hears it any more.
    """

    def __init__(self) -> None:
        self._orders: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.stop = threading.Event()

    def put(self, order: Any) -> None:
        """Take note of an order."""
        if order == STOP:
            self.stop.set()
        self._orders.put(order)

    def take(self) -> Any:
        """Wait for the next order."""
        return self._orders.get()

    @abstractmethod
    def report(self, event: dict[str, Any]) -> None:
        """Say what happened."""


class Orders(Told):
    """What this process is told through its standard input, and answers through its standard output."""

    def __init__(self) -> None:
        super().__init__()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1, encoding="utf-8")
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        threading.Thread(target=self._listen, daemon=True).start()

    def report(self, event: dict[str, Any]) -> None:
        """Say what happened."""
        try:
            self._answers.write(json.dumps(event) + "\n")
        except BrokenPipeError:
            self.stop.set()

    def _listen(self) -> None:
        for line in sys.stdin:
            self.put(json.loads(line))
            if self.stop.is_set():
                return
        os._exit(0)


def serve(arguments: list[str], prepare: Prepare) -> None:
    """Do so in a process, whose arguments are a study's name and a device."""
    study_name, device = arguments
    work(Orders(), study_name, device, prepare)


def work(orders: Told, study_name: str, device: str, prepare: Prepare) -> None:
    """Do what is ordered, one order after another, until told to stop.

    Parameters
    ----------
    orders : Told
        The first one is tracking URI, storage URI and home.
    study_name, device : str
        What is worked on, and on what.
    prepare : callable
        Given the study, the device and the orders, makes what does one order.
    """
    from pathlib import Path

    from pipeline.exceptions import StoreLostError
    from pipeline.redaction import redact_tracebacks
    from search.tracking.environment import settle_warnings

    settle_warnings()
    redact_tracebacks()
    import torch

    torch.set_num_threads(1)
    from search.study.study import load_study
    from search.tracking.patience import WAITING
    from search.tracking.stores import Stores, expect

    tracking_uri, storage_uri, home = orders.take()
    stores = Stores(tracking_uri=tracking_uri, storage_uri=storage_uri, home=Path(home))
    expect(tracking_uri, storage_uri)
    WAITING.tell, WAITING.is_over = lambda line: orders.report({"event": "note", "text": line}), orders.stop.is_set
    try:
        do = prepare(load_study(stores, study_name), device, orders)
        orders.report({"event": "ready", "host": socket.gethostname()})
        while (order := orders.take()) != STOP:
            do(order)
            if orders.stop.is_set():
                break
    except StoreLostError as error:
        orders.report({"event": "store lost", "error": str(error)})


def prepare(study: Study, device: str, orders: Told) -> Callable[[Any], None]:
    """Read a study's data, and give what runs a trial of it."""
    from search.trial.runner import TrialRunner

    dataset, pooled = study.load_data()
    runner = TrialRunner(
        study, dataset, pooled=pooled, device=device, report=orders.report, should_stop=orders.stop.is_set
    )
    return lambda order: runner.run(order[RUN])


if __name__ == "__main__":
    serve(sys.argv[1:], prepare)
