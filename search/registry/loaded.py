"""A registered version, loaded as MLflow serves it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import mlflow
import pandas as pd
from mlflow.exceptions import MlflowException

from model.facts import PackageFacts
from pipeline.exceptions import RecordError
from search.record import describe_error
from search.registry.versions import version_name
from search.stores import Stores, open_tracking

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion


@dataclass(frozen=True, kw_only=True, slots=True)
class Loaded:
    """A version ready to forecast.

    Parameters
    ----------
    served : PyFuncModel
        Takes raw bars.
    facts : PackageFacts
        What it was made from.
    """

    served: Any
    facts: PackageFacts

    def forecast(self, bars: pd.DataFrame) -> pd.Series:
        """Probability of every day that has enough history, indexed by date."""
        found = self.served.predict(bars, params={"days": "all"})
        return pd.Series(found["probability"].to_numpy(), index=pd.DatetimeIndex(found["date"]), name="p")


def load_version(stores: Stores, version: ModelVersion) -> Loaded:
    """Load a version from the registry through MLflow.

    Raises
    ------
    RecordError
        If its files are gone, or it is no package of this project.
    """
    name = version_name(version)
    try:
        with TemporaryDirectory() as directory, _same_path():
            client = open_tracking(stores)
            source = client.get_model_version_download_uri(version.name, version.version)
            path = mlflow.artifacts.download_artifacts(source, dst_path=directory, tracking_uri=stores.tracking_uri)
            served = mlflow.pyfunc.load_model(path)
            return Loaded(served=served, facts=served.unwrap_python_model().package.facts)
    except (MlflowException, OSError, AttributeError) as error:
        raise RecordError(
            f"{name} must load as MLflow serves it, got {describe_error(error)}; register it again"
        ) from error


@contextmanager
def _same_path() -> Iterator[None]:
    """Leave Python's path as it was: MLflow puts the model's own copy of the code in front of it."""
    before = list(sys.path)
    try:
        yield
    finally:
        sys.path[:] = before
