"""A worker process of a walk-forward: one thread, one job at a time, on its command's word.

The first line that it reads says what is walked forward, every further one is a job; it answers each with a line.
When its input closes, because the command is gone, it exits at once.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
from pathlib import Path


def main(arguments: list[str]) -> None:
    """Do jobs until the input closes.

    Parameters
    ----------
    arguments : list of str
        Tracking URI, storage URI, home, study name, device.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(lines,), daemon=True).start()

    import torch

    torch.set_num_threads(1)
    from pipeline.exceptions import describe_error
    from search.study.study import load_study
    from search.tracking.stores import Stores
    from search.walk_forward.forecast import Job
    from search.walk_forward.walk import load_walk_forward_data, make_forecaster
    from search.walk_forward.workers import read_setup

    tracking_uri, storage_uri, home, study_name, device = arguments
    stores = Stores(tracking_uri=tracking_uri, storage_uri=storage_uri, home=Path(home))
    study = load_study(stores, study_name)
    subject, (first_year, last_year) = read_setup(lines.get())
    data = load_walk_forward_data(study, subject, first_year, last_year, device=device)
    forecaster = make_forecaster(study, subject, data)
    while True:
        job = Job(**json.loads(lines.get()))
        try:
            answer = forecaster.run(job).to_dict()
        except Exception as error:
            answer = {"error": describe_error(error)}
        try:
            answers.write(json.dumps(answer) + "\n")
        except BrokenPipeError:
            os._exit(1)


def _listen(lines: queue.SimpleQueue[str]) -> None:
    for line in sys.stdin:
        lines.put(line)
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
