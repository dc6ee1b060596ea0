"""A worker process: one thread, one trial at a time, on the coordinator's word.

It reads ``run`` or ``stop`` a line from standard input and writes one JSON
event a line to standard output.  When its input closes, because the
coordinator is gone, it exits at once: no orphans, and the next command repairs.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
from typing import Any

RUN, STOP = "run", "stop"


def main(arguments: list[str]) -> None:
    """Run trials until told to stop.

    Parameters
    ----------
    arguments : list of str
        Tracking URI, storage URI, home, study name, device.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    events = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    tracking_uri, storage_uri, home, study_name, device = arguments
    orders: queue.SimpleQueue[str] = queue.SimpleQueue()
    stop = threading.Event()
    threading.Thread(target=_listen, args=(orders, stop), daemon=True).start()

    def report(event: dict[str, Any]) -> None:
        try:
            events.write(json.dumps(event) + "\n")
        except BrokenPipeError:
            stop.set()

    runner = _runner(tracking_uri, storage_uri, home, study_name, device, report, stop)
    report({"event": "ready"})
    while orders.get() == RUN:
        runner.run_next()
        if stop.is_set():
            break


def _listen(orders: queue.SimpleQueue[str], stop: threading.Event) -> None:
    for line in sys.stdin:
        if line.strip() == STOP:
            stop.set()
            orders.put(STOP)
            return
        orders.put(line.strip())
    os._exit(1)


def _runner(
    tracking_uri: str, storage_uri: str, home: str, study_name: str, device: str, report: Any, stop: threading.Event
) -> Any:
    from pathlib import Path

    import torch

    torch.set_num_threads(1)
    from search.study.study import load_study
    from search.tracking.stores import Stores
    from search.trial.runner import TrialRunner

    stores = Stores(tracking_uri=tracking_uri, storage_uri=storage_uri, home=Path(home))
    study = load_study(stores, study_name)
    dataset, pooled = study.load_data()
    return TrialRunner(study, dataset, pooled=pooled, device=device, report=report, should_stop=stop.is_set)


if __name__ == "__main__":
    main(sys.argv[1:])
