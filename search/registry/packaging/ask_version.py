"""A registered version, asked as MLflow serves it: with the code that it carries."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import mlflow
import pandas as pd
from mlflow.exceptions import MlflowException

from pipeline.exceptions import RecordError, describe_error
from pipeline.splits.target import Target
from search.registry.packaging.fresh_process import Answer, ask_fresh_process
from search.registry.versions.versions import version_name
from search.tracking.location import beside
from search.tracking.patience import wait_for
from search.tracking.stores import Stores, open_tracking

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion


def ask_version(
    stores: Stores,
    version: ModelVersion,
    bars: pd.DataFrame,
    *,
    span: tuple[pd.Timestamp, pd.Timestamp] | None = None,
    asked: Target | None = None,
) -> Answer:
    """Forecast days of raw bars that have enough history, in a process of its own.

    Parameters
    ----------
    stores : Stores
        Where the record is.
    version : ModelVersion
        The version.
    bars : DataFrame
        Raw bars, see :func:`pipeline.datasets.raw_bars.raw_bars`.
    span : (Timestamp, Timestamp), optional
        First and last day to forecast; every day of the bars if not given.
    asked : Target, optional
        What is asked; the study's own if not given.

    Raises
    ------
    RecordError
        If the version's files are gone, or it is no package of this project.
    """
    with fetched_version(stores, version) as path:
        return ask_fresh_process(str(path), bars, stores.tracking_uri, span=span, asked=asked)


@contextmanager
def fetched_version(stores: Stores, version: ModelVersion) -> Iterator[Path]:
    """Inside, a version's files lie in a directory of this machine, as MLflow gives them to a server.

    Raises
    ------
    RecordError
        If they are gone; or if they do not load, whatever that raises inside.
    """
    client = open_tracking(stores)
    with TemporaryDirectory() as directory:
        try:
            source = client.get_model_version_download_uri(version.name, version.version)
            found = beside(stores.home, source) if stores.tracking_database is not None else None
            bring = partial(mlflow.artifacts.download_artifacts, source if found is None else str(found))
            fetch = partial(bring, dst_path=directory, tracking_uri=stores.tracking_uri)
            yield Path(wait_for("MLflow's artifact store", fetch))
        except (MlflowException, OSError, RecordError) as error:
            raise RecordError(
                f"{version_name(version)} must load as MLflow serves it, got {describe_error(error)}; register it again"
            ) from error
