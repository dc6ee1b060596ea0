"""What the shell brings along: variables, warnings and an encoding that were meant for others change nothing here."""

from __future__ import annotations

import io
import os
import sys
import warnings
from collections.abc import MutableMapping

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
