"""The command line: thin, one module a command; slow imports happen inside the command."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

import click

from pipeline.exceptions import PatchscaleError, StoreError, describe_error, with_short_words
from pipeline.redaction import holds_secret, redact_tracebacks, redacted
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
from search.tracking.environment import (
    leave_out_backend,
    leave_out_foreign,
    require_readable_settings,
    settle_streams,
    settle_warnings,
)
from search.tracking.patience import longest_wait

DEFECTS = ("mlflow.", "optuna.", "sqlalchemy.", "sqlite3", "pyarrow.")
"""Libraries whose errors tell of a store or a file, not of a fault in this code."""
LAUNCHED = ("hpo", "campaign")
REMEDY = "; free space or make them writable, and see patchscale verify"
FAULTS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOENT, errno.EIO, errno.EMFILE)
MISPLACED = (errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.ENOTEMPTY, errno.ENAMETOOLONG, errno.ELOOP)
"""What a path says that can't be what is asked of it: a file where a directory is to be, a link that leads nowhere."""


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
    settle_streams()
    settle_warnings()
    redact_tracebacks()
    foreign = leave_out_foreign()
    leave_out_backend()
    if foreign:
        click.echo(f"note: {', '.join(foreign)} of another project changes nothing here", err=True)
    try:
        _require_no_recorded_secret(sys.argv[1:] if arguments is None else arguments)
        require_readable_settings()
        longest_wait()
        sys.exit(cli.main(args=arguments, prog_name="patchscale", standalone_mode=False) or 0)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        sys.exit(error.exit_code)
    except click.ClickException as error:
        _refuse(" ".join(error.format_message().split()), error.exit_code)
    except PatchscaleError as error:
        _refuse(str(error), error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        _end("interrupted", 130)
    except UnicodeEncodeError as error:
        if not any(map(_is_no_text, arguments or sys.argv)):
            raise
        _end(f"options and arguments must be text in UTF-8, got {error.object!r}; type it anew", 2)
    except Exception as error:
        if not _is_of_the_machine(error):
            raise
        where = getattr(error, "filename", None)
        misplaced = isinstance(error, OSError) and error.errno in MISPLACED
        _end(
            f"a command must be able to read and write its files and stores, got {describe_error(_first_cause(error))}"
            + (f" at {where}" if where and str(where) not in str(error) else "")
            + ("; move what is in its place away, or give another path" if misplaced else REMEDY),
            2,
        )


def _require_no_recorded_secret(arguments: Sequence[str]) -> None:
    """Refuse a password that ``mlflow run`` has recorded and handed on, before any other error is found."""
    if _is_launched() and any(map(holds_secret, arguments)):
        from search.hpo.launcher import refuse_recorded_secret

        refuse_recorded_secret(arguments[0])


def _is_launched() -> bool:
    return {"MLFLOW_RUN_ID", "MLFLOW_TRACKING_URI"} <= set(os.environ)


def _refuse(message: str, code: int) -> NoReturn:
    """End with one line; a run that ``mlflow run`` made for the command, and that no study took over, says it too.

    If that run holds a password, this is what is said: it matters more than what stopped the command.
    """
    command = sys.argv[1] if len(sys.argv) > 1 else ""
    if command in LAUNCHED and _is_launched():
        from search.hpo.launcher import Launcher

        with suppress(Exception):
            launcher = Launcher.from_environment()
            if launcher is not None:
                try:
                    launcher.require_no_secret(command)
                    launcher.refuse(command, redacted(message))
                except StoreError as error:
                    message, code = str(error), error.exit_code
    _end(message, code)


def _is_of_the_machine(error: BaseException | None) -> bool:
    """Whether a full disk, a missing right, or a store behind a library stopped a command, and no fault of the code."""
    if error is None:
        return False
    if isinstance(error, OSError) and error.errno in (*FAULTS, *MISPLACED):
        return True
    module = type(error).__module__ + "."
    return module.startswith(DEFECTS) or _is_of_the_machine(error.__cause__)


def _first_cause(error: BaseException) -> BaseException:
    """Return what a database said, below what libraries made of it."""
    return error if error.__cause__ is None else _first_cause(error.__cause__)


def _is_no_text(word: str) -> bool:
    return any("\ud800" <= letter <= "\udfff" for letter in word)


def _end(message: str, code: int) -> NoReturn:
    click.echo(f"error: {with_short_words(redacted(message))}", err=True)
    sys.exit(code)
