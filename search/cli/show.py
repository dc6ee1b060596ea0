"""Commands that show: ``ui``, ``verify``."""

from __future__ import annotations

import os
import sys

import click

from pipeline.exceptions import InputError
from pipeline.redaction import redacted
from search.cli.options import request_options, store_options
from search.study.values import whole_number
from search.tracking.address import with_driver
from search.tracking.stores import Stores, open_tracking, prepare_home, resolve_stores

MAX_PORT = 65535
LOOPBACK = ("127.0.0.1", "localhost", "::1")


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to serve on.")
@click.option("--port", default="5000", show_default=True, help="Port to serve on.")
@click.option("--allow-remote", is_flag=True, help="Serve on an address that others can reach.")
@request_options("tracking_uri")
def ui(host: str, port: str, allow_remote: bool, tracking_uri: str) -> None:
    """Serve the MLflow UI on loopback."""
    if host not in LOOPBACK and not allow_remote:
        raise InputError(
            f"host must be a loopback address, got {host!r}: MLflow has no password by default, so everybody who "
            "reaches the port can read and delete; add --allow-remote if that is wanted"
        )
    number = whole_number("port", port, 1)
    if number > MAX_PORT:
        raise InputError(f"port must be at most {MAX_PORT}, got {number}")
    if host not in LOOPBACK:
        click.echo(
            "warning: MLflow has no password by default; everybody who reaches the port can read and delete", err=True
        )
    stores = resolve_stores(tracking_uri)
    if stores.tracking_uri.startswith(("http://", "https://")):
        raise InputError(
            f"ui serves a store of its own, got the server {stores.tracking_uri}; open that address instead"
        )
    prepare_home(stores)
    open_tracking(stores)
    settings = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    environment = {**os.environ, **settings, "MLFLOW_BACKEND_STORE_URI": with_driver(stores.tracking_uri)}
    server = ["--host", host, "--port", str(number), "--workers", "1", "--no-serve-artifacts"]
    click.echo(f"serving {redacted(stores.tracking_uri)} on http://{host}:{number} (Ctrl-C ends it)")
    command = [sys.executable, "-m", "mlflow", "ui", *server]
    sys.stdout.flush()
    os.execvpe(sys.executable, command, environment)


@click.command()
@store_options
def verify(stores: Stores) -> None:
    """Check that environment, stores and data versions are whole."""
    from pathlib import Path

    from search.audit.verify import verify as findings
    from search.study.plan import DATA_DIRECTORY

    whole = True
    for ok, line in findings(stores, Path(DATA_DIRECTORY)):
        whole = whole and ok
        click.echo(f"{'ok ' if ok else 'BAD'} {line}")
    sys.exit(0 if whole else 1)
