"""The comparison board: a saved view of MLflow's runs page, and the link that opens it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from search.record import ROLE, STUDY

if TYPE_CHECKING:
    from mlflow import MlflowClient

BOARD_KEY = "patchscale-board"
UI_ADDRESS = "http://127.0.0.1:5000"
AXES = ("d_model", "n_layers", "n_heads", "d_ff", "learning_rate")


def save_board(client: MlflowClient, experiment_id: str) -> None:
    """Store the board as a shared view of the experiment.

    The tag's form is MLflow's own and undocumented; the browser test guards it.
    """
    client.set_experiment_tag(experiment_id, f"mlflow.sharedViewState.{BOARD_KEY}", json.dumps(_view()))


def board_link(experiment_id: str, study: str, address: str = UI_ADDRESS) -> str:
    """Link that opens the board on one study's trials, in the MLflow UI at ``address``."""
    search = quote(f"tags.`{STUDY}` = '{study}' and tags.`{ROLE}` = 'trial'")
    return (
        f"{address}/#/experiments/{experiment_id}/runs?workflowType=machine_learning&compareRunsMode=CHART"
        f"&orderByKey={quote('metrics.`best/loss`')}&orderByAsc=true&searchFilter={search}&viewStateShareKey={BOARD_KEY}"
    )


def _view() -> dict[str, Any]:
    section = {"uuid": "patchscale", "name": "Architectures", "display": True, "isReordered": False}
    return {
        "searchFilter": f"tags.`{ROLE}` = 'trial'",
        "orderByKey": "metrics.`best/loss`",
        "orderByAsc": True,
        "runsHiddenMode": "SHOWALL",
        "compareRunSections": [section],
        "compareRunCharts": [
            _chart("parallel", "PARALLEL", selectedParams=list(AXES), selectedMetrics=["best/loss"], showAllRuns=True),
            _line("val-loss", "val/loss"),
            _line("train-loss", "train/loss"),
            _scatter("loss-n-params", "hp/log10_n_params", "best/loss"),
            _scatter("loss-learning-rate", "hp/log10_learning_rate", "best/loss"),
        ],
    }


def _chart(name: str, kind: str, **fields: Any) -> dict[str, Any]:
    return {
        "uuid": f"patchscale-{name}",
        "type": kind,
        "runsCountToCompare": 100,
        "metricSectionId": "patchscale",
        "deleted": False,
        "isGenerated": False,
        **fields,
    }


def _line(name: str, metric: str) -> dict[str, Any]:
    axes = {"xAxisKey": "step", "xAxisScaleType": "linear", "scaleType": "linear", "lineSmoothness": 0}
    return _chart(name, "LINE", metricKey=metric, selectedMetricKeys=[metric], **axes)


def _scatter(name: str, x: str, y: str) -> dict[str, Any]:
    return _chart(name, "SCATTER", xaxis={"key": x, "type": "METRIC"}, yaxis={"key": y, "type": "METRIC"})
