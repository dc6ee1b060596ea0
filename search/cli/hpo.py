"""``patchscale hpo``: start, continue or extend a study."""

from __future__ import annotations

import sys
from typing import Any

import click

from search.cli.options import FIELDS, request_options
from search.study.request import HpoRequest


@click.command()
@request_options(*FIELDS)
def hpo(**options: Any) -> None:
    """Search the architectures of a budget.

    The same command again resumes.
    """
    request = HpoRequest(**options)
    from search.hpo.command import run_study

    sys.exit(run_study(request))
