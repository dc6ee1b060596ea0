"""``patchscale hpo``: start, continue or extend a study."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from search.cli.options import FIELDS, request_options
from search.study.request import HpoRequest
from search.tracking.lease import refuse_if_held
from search.tracking.stores import resolve_stores


@click.command()
@request_options(*FIELDS)
def hpo(**options: Any) -> None:
    """Search the architectures of a budget.

    The same command again resumes.
    """
    request = HpoRequest(**options)
    if request.study and not os.environ.get("MLFLOW_RUN_ID"):  # who is refused learns it before torch is loaded
        refuse_if_held(resolve_stores(request.tracking_uri, request.storage), request.study)
    from search.hpo.command import run_study

    sys.exit(run_study(request))
