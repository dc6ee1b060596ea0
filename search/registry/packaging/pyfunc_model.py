"""The model in MLflow's form, as code: what a scoring server runs.

The file is copied into the logged model and runs there beside the ``pipeline`` and ``model`` packages that
the model carries, so it imports nothing of ``search``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import torch
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.protos.databricks_pb2 import BAD_REQUEST
from mlflow.pyfunc.model import PythonModel

from model.serving.packaged import LAST, PackagedModel
from pipeline.exceptions import InputError

SHOWN = 200


class BrokenRule(MlflowException):
    """A caller's mistake, answered with 400 and nothing but the rule.

    MLflow's server puts the whole data before the message of an exception; here the message stays what it was.
    """

    def __init__(self, rule: str) -> None:
        self._rule = rule
        super().__init__(rule, error_code=BAD_REQUEST)

    @property
    def message(self) -> str:
        """The rule."""
        return self._rule

    @message.setter
    def message(self, longer: str) -> None:
        assert self._rule in longer


class ServedModel(PythonModel):
    """Raw bars in, a probability a day out; see :class:`model.serving.packaged.PackagedModel`."""

    def load_context(self, context: Any) -> None:
        """Read the package once; forecasts run on one thread."""
        torch.set_num_threads(1)
        self.package = PackagedModel.load(Path(context.artifacts["package"]))

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Forecast the last day, or with ``params={"days": "all"}`` every day with enough history.

        ``horizon`` and ``threshold`` among the params are a question to a distribution; without them the study's own.

        Raises
        ------
        BrokenRule
            If the input breaks a rule.
        """
        try:
            frame = model_input if isinstance(model_input, pd.DataFrame) else pd.DataFrame(model_input)
            asked = params or {}
            forecasts = self.package.predict(
                frame, days=asked.get("days", LAST), horizon=asked.get("horizon"), threshold=asked.get("threshold")
            )
        except InputError as error:
            raise BrokenRule(str(error)) from error
        except Exception as error:
            said = " ".join(str(error).split())[:SHOWN]
            raise BrokenRule(f"bars must be a table, a row a session, got {type(error).__name__}: {said}") from error
        return forecasts.assign(date=forecasts["date"].dt.strftime("%Y-%m-%d"))


set_model(ServedModel())
