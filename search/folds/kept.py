"""What is done of a run's folds, kept in the run as it is done: a command that goes on does not do it again."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pandas as pd

from pipeline.exceptions import RecordError
from search.folds.forecast import Outcome
from search.tracking.artifacts import delete_artifact, read_artifact

if TYPE_CHECKING:
    from mlflow import MlflowClient

FOLDS = "folds"
"""Directory of a run's artifacts."""


def keep_outcome(client: MlflowClient, run_id: str, name: str, outcome: Outcome) -> None:
    """Keep what was found of one part, under its name."""
    client.log_text(run_id, json.dumps(asdict(outcome)), f"{FOLDS}/{name}.json")


def kept_outcomes(client: MlflowClient, run_id: str) -> dict[str, Outcome]:
    """Read what earlier commands finished, by name; a file that was cut off while it was written is none."""
    run, kept = client.get_run(run_id), {}
    for artifact in client.list_artifacts(run_id, FOLDS):
        with suppress(ValueError, KeyError, TypeError):
            held = json.loads(read_artifact(client, run, artifact.path) or "")
            kept[Path(artifact.path).stem] = Outcome.from_dict(held)
    return kept


def keep_table(client: MlflowClient, run_id: str, name: str, table: pd.DataFrame) -> None:
    """Keep a table of one part beside its outcome, until the run has ended."""
    with TemporaryDirectory() as directory:
        path = Path(directory) / f"{name}.parquet"
        table.to_parquet(path, index=False)
        client.log_artifact(run_id, str(path), FOLDS)


def kept_table(client: MlflowClient, run_id: str, name: str) -> pd.DataFrame:
    """Read the table of one part.

    Raises
    ------
    RecordError
        If it is gone.
    """
    held = read_artifact(client, client.get_run(run_id), f"{FOLDS}/{name}.parquet")
    if held is None:
        raise RecordError(f"run {run_id} must keep {FOLDS}/{name}.parquet until it has ended, got none; start it anew")
    return pd.read_parquet(BytesIO(held))


def forget_folds(client: MlflowClient, run_id: str) -> None:
    """Delete what was kept, once the run holds all of it elsewhere; a store that can't delete keeps it."""
    with suppress(Exception):
        delete_artifact(client, client.get_run(run_id), FOLDS)
