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
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from search.study.study import Study

RUN, STOP = "run", "stop"
"""Orders: the first is a field, whose value is a trial's id in the schedule."""


class Orders:
    """What this process is told, and how it answers.

    Attributes
    ----------
    stop : Event
        Set as soon as it is told to stop, also while it works, and when nobody hears it any more.
    """

    def __init__(self) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1, encoding="utf-8")
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        self._orders: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.stop = threading.Event()
        threading.Thread(target=self._listen, daemon=True).start()

    def take(self) -> Any:
        """Wait for the next order."""
        return self._orders.get()

    def report(self, event: dict[str, Any]) -> None:
        """Say what happened."""
        try:
            self._answers.write(json.dumps(event) + "\n")
        except BrokenPipeError:
            self.stop.set()

    def _listen(self) -> None:
        for line in sys.stdin:
            order = json.loads(line)
            if order == STOP:
                self.stop.set()
                self._orders.put(order)
                return
            self._orders.put(order)
        os._exit(0)


def serve(arguments: list[str], prepare: Callable[[Study, str, Orders], Callable[[Any], None]]) -> None:
    """Do what is ordered, one order after another, until told to stop.

    Parameters
    ----------
    arguments : list of str
        Study name, device; the first order is tracking URI, storage URI and home.
    prepare : callable
        Given the study, the device and the orders, makes what does one order.
    """
    orders = Orders()
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

    study_name, device = arguments
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


def _run_trials(study: Study, device: str, orders: Orders) -> Callable[[Any], None]:
    from search.trial.runner import TrialRunner

    dataset, pooled = study.load_data()
    runner = TrialRunner(
        study, dataset, pooled=pooled, device=device, report=orders.report, should_stop=orders.stop.is_set
    )
    return lambda order: runner.run(order[RUN])


if __name__ == "__main__":
    serve(sys.argv[1:], _run_trials)
