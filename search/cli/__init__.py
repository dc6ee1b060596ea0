"""The command line: thin, one module a command; slow imports happen inside the command."""

from __future__ import annotations

import sys

import click

from pipeline.exceptions import PatchscaleError
from search.cli.audit import audit
from search.cli.baselines import baselines
from search.cli.campaign import campaign
from search.cli.data import data
from search.cli.evaluate import evaluate
from search.cli.gc import gc
from search.cli.grid import grid
from search.cli.hpo import hpo
from search.cli.legacy import import_results
from search.cli.power import power
from search.cli.predict import predict
from search.cli.reconcile import reconcile
from search.cli.register import register
from search.cli.report import report
from search.cli.scaling import scaling
from search.cli.sections import SectionedGroup
from search.cli.show import ui, verify
from search.cli.status import status
from search.cli.supplement import supplement
from search.cli.versions import compare, promote, rollback
from search.cli.walkforward import walkforward


@click.group(cls=SectionedGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="patchscale")
def cli() -> None:
    """Find, within a parameter budget, which Transformer architecture predicts a market best."""


cli.add_section("Search", hpo, campaign, grid, status, audit, supplement)
cli.add_section("Evidence", baselines, walkforward, report, scaling, power)
cli.add_section("Registry", register, promote, rollback, compare, evaluate, predict)
cli.add_section("Data", data, import_results)
cli.add_section("Store", ui, verify, reconcile, gc)


def main(arguments: list[str] | None = None) -> None:
    """Run a command; a user's mistake ends with one line and its exit code."""
    try:
        sys.exit(cli.main(args=arguments, prog_name="patchscale", standalone_mode=False) or 0)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        sys.exit(error.exit_code)
    except click.ClickException as error:
        _end(" ".join(error.format_message().split()), error.exit_code)
    except PatchscaleError as error:
        _end(str(error), error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        _end("interrupted", 130)


def _end(message: str, code: int) -> None:
    click.echo(f"error: {message}", err=True)
    sys.exit(code)
