"""What the shell brings along: variables, warnings and an encoding that were meant for others change nothing here."""

from __future__ import annotations

import io
import logging
import os
import sys
import warnings
from collections.abc import Mapping, MutableMapping

from pipeline.exceptions import InputError

FOREIGN = ("MLFLOW_", "_MLFLOW_", "OPTUNA_")
HONOURED = (
    *("MLFLOW_TRACKING_", "MLFLOW_HTTP_", "MLFLOW_S3_", "MLFLOW_GCS_", "MLFLOW_BOTO_", "MLFLOW_KERBEROS_"),
    *("MLFLOW_MYSQL_SSL_", "MLFLOW_SQLALCHEMYSTORE_", "MLFLOW_ARTIFACT_", "MLFLOW_MULTIPART_"),
    *("MLFLOW_ENABLE_MULTIPART_", "MLFLOW_ENABLE_PROXY_MULTIPART_", "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"),
    *("MLFLOW_SERVER_", "MLFLOW_DISABLE_TELEMETRY", "MLFLOW_LOGGING_LEVEL", "MLFLOW_CONFIGURE_LOGGING"),
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT",
    *("MLFLOW_CONDA_HOME", "MLFLOW_ENV_ROOT", "MLFLOW_RUN_ID"),
)
"""Beginnings of the variables that say how a store is reached, and the launcher's run, which proves itself."""
LAUNCHED = ("MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME")
FLAGS = (
    *("MLFLOW_CONFIGURE_LOGGING", "MLFLOW_DISABLE_TELEMETRY", "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"),
    *("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "MLFLOW_ENABLE_MULTIPART_DOWNLOAD", "MLFLOW_ENABLE_MULTIPART_UPLOAD"),
    *("MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER", "MLFLOW_HTTP_TCP_KEEPALIVE", "MLFLOW_S3_IGNORE_TLS"),
    *("MLFLOW_SQLALCHEMYSTORE_ECHO", "MLFLOW_TRACKING_AWS_SIGV4", "MLFLOW_TRACKING_INSECURE_TLS"),
)
COUNTS = (
    *("MLFLOW_HTTP_POOL_CONNECTIONS", "MLFLOW_HTTP_POOL_MAXSIZE", "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR"),
    *("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "MLFLOW_HTTP_REQUEST_TIMEOUT", "MLFLOW_HTTP_TCP_KEEPALIVE_COUNT"),
    *("MLFLOW_HTTP_TCP_KEEPALIVE_IDLE", "MLFLOW_HTTP_TCP_KEEPALIVE_INTERVAL", "MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW"),
    *("MLFLOW_SQLALCHEMYSTORE_POOL_RECYCLE", "MLFLOW_SQLALCHEMYSTORE_POOL_SIZE"),
    *("MLFLOW_ARTIFACT_UPLOAD_DOWNLOAD_TIMEOUT", "MLFLOW_MULTIPART_DOWNLOAD_CHUNK_SIZE"),
    *("MLFLOW_MULTIPART_DOWNLOAD_MINIMUM_FILE_SIZE", "MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE"),
    "MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE",
)
LEVEL, BACKEND = "MLFLOW_LOGGING_LEVEL", "MPLBACKEND"
OWN_PACKAGES = r"(pipeline|model|search)(\.|$)"


def leave_out_foreign(environment: MutableMapping[str, str] = os.environ) -> list[str]:
    """Take out what other projects say of MLflow and Optuna; return the names of what they would have changed.

    What ``mlflow run`` itself sets is taken out too, and not named.

    Examples
    --------
    >>> leave_out_foreign({"MLFLOW_REGISTRY_URI": "sqlite:///other.db", "MLFLOW_TRACKING_TOKEN": "t"})
    ['MLFLOW_REGISTRY_URI']
    """
    foreign = [
        name
        for name in environment
        if name.startswith(FOREIGN) and not (name.startswith(HONOURED) and environment[name])
    ]
    launched = bool(environment.get("MLFLOW_RUN_ID"))
    named = [name for name in foreign if environment[name] and not (launched and name in LAUNCHED)]
    for name in foreign:
        del environment[name]
    return sorted(named)


def require_readable_settings(environment: Mapping[str, str] = os.environ) -> None:
    """Refuse what MLflow can't read of the variables that are honoured: it would stop wherever it looks at one.

    Raises
    ------
    InputError
        Naming the variable.
    """
    held = {name: environment[name] for name in (*FLAGS, *COUNTS, LEVEL) if environment.get(name)}
    for name, text in held.items():
        if name in FLAGS and text.lower() not in ("true", "false", "1", "0"):
            raise InputError(f"{name} must be true or false, got {text!r}; unset it")
        if name in COUNTS and not _is_whole(text):
            raise InputError(f"{name} must be a whole number, got {text!r}; unset it")
    levels = logging.getLevelNamesMapping()
    if LEVEL in held and held[LEVEL].upper() not in levels:
        raise InputError(f"{LEVEL} must be one of {', '.join(levels)}, got {held[LEVEL]!r}; unset it")


def _is_whole(text: str) -> bool:
    try:
        return abs(int(text)) < 2**63
    except ValueError:
        return False


def leave_out_backend(environment: MutableMapping[str, str] = os.environ) -> None:
    """Take out which window figures are shown in: pages need none, and one that is not there stops matplotlib."""
    environment.pop(BACKEND, None)


def settle_streams() -> None:
    """Let no letter that the terminal's encoding lacks stop a command; it is shown as a question mark."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def settle_warnings() -> None:
    """Where warnings were made errors (``-W error``), hold that against this project alone: libraries do warn."""
    if any(option.startswith("error") for option in sys.warnoptions):
        warnings.simplefilter("default")
        warnings.filterwarnings("error", module=OWN_PACKAGES)
