"""A copy of a record directory: MLflow names artifacts by absolute paths, which have to follow."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from mlflow.tracking._tracking_service import utils

PATHS = {
    "experiments": ("artifact_location",),
    "runs": ("artifact_uri",),
    "logged_models": ("artifact_location",),
    "model_versions": ("source", "storage_location"),
}


def copy_record(source: Path, destination: Path) -> None:
    """Copy a directory of embedded stores and artifacts to where nothing is yet.

    MLflow remembers by a run's id alone where its artifacts lie, so what it remembers of another copy is forgotten.
    """
    shutil.copytree(source, destination)
    with closing(sqlite3.connect(destination / "mlflow.db")) as connection, connection:
        for table, columns in PATHS.items():
            for column in columns:
                query = f"UPDATE {table} SET {column} = replace({column}, ?, ?)"
                connection.execute(query, (f"{source.as_uri()}/", f"{destination.as_uri()}/"))
    utils._artifact_repos_cache.clear()
