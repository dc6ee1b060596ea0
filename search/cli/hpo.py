"""``patchscale hpo``: start, continue or extend a study."""

from __future__ import annotations

import sys

import click

from search.cli.options import FIELDS, request_options
from search.study.request import HpoRequest


@click.command()
@request_options(*FIELDS)
def hpo(**options: str) -> None:
    """Search the architectures of a budget; the same command again resumes."""
    request = HpoRequest.read(options)
    from search.hpo.command import run_study

    sys.exit(run_study(request))
