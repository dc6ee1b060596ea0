"""A worker process of a walk-forward: its first order says what is walked forward, every further one is a job."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from search.workers.worker import Told, serve

if TYPE_CHECKING:
    from search.study.study import Study


def do_jobs(study: Study, device: str, orders: Told) -> Callable[[Any], None]:
    """Read what is walked forward, and give what does its jobs and says what each found."""
    from pipeline.exceptions import describe_error
    from search.folds.forecast import Job
    from search.walk_forward.walk import load_walk_forward_data, make_forecaster
    from search.walk_forward.workers import read_setup

    subject, (first_year, last_year) = read_setup(orders.take())
    data = load_walk_forward_data(study, subject, first_year, last_year, device=device)
    forecaster = make_forecaster(study, subject, data)

    def do(order: Any) -> None:
        try:
            event = {"event": "done", **asdict(forecaster.run(Job(**order)))}
        except Exception as error:
            event = {"event": "failed", "error": describe_error(error)}
        orders.report(event)

    return do


prepare = do_jobs
"""What :mod:`search.workers.worker` calls it."""

if __name__ == "__main__":
    serve(sys.argv[1:], prepare)
