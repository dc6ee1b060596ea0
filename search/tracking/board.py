"""The comparison board: a saved view of MLflow's runs page, and the link that opens it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from search.tracking.address import server_address
from search.tracking.reader import matching
from search.tracking.tags import LAUNCHER_ROLE, REGISTRATION_ROLE, ROLE, STUDY, STUDY_ROLE, TEST_ROLE, WALK_FORWARD_ROLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlflow import MlflowClient

UI_ADDRESS = "http://127.0.0.1:5000"
NOT_SHOWN = (STUDY_ROLE, WALK_FORWARD_ROLE, REGISTRATION_ROLE, TEST_ROLE, LAUNCHER_ROLE)
ARCHITECTURES, LOSSES = "Architectures", "Losses"
# From nine axes on MLflow slants their names; eight run into each other.  The last metric colours the lines.
PARAM_AXES = ("n_heads", "d_model", "n_layers", "d_ff", "dropout", "batch_size")
WINDOW_PARAMS = ("context_length", "patch_length", "stride")
LOSS_METRIC = "best/loss"
METRIC_AXES = ("hp/log10_n_params", "hp/log10_learning_rate", LOSS_METRIC)
# Sections that MLflow makes of the metrics' prefixes: named here so that they are folded, below ours.
GENERATED = ("best", "val", "train", "hp", "memory", "execution", "attention")


def save_board(
    client: MlflowClient,
    experiment_id: str,
    study: str,
    query: str | None = None,
    metric: str = LOSS_METRIC,
    searched: Sequence[str] = (),
) -> None:
    """Store a study's board as a shared view of its experiment; ``query`` shows other runs than its own.

    What is ``searched`` and has no axis gets one, in the place of a setting of the training.  Runs stand
    in the order of ``metric``: a loss upwards, anything else, whose best may be its highest, downwards.

    The tag's form is MLflow's own and undocumented; the browser test guards it.
    """
    client.set_experiment_tag(
        experiment_id,
        f"mlflow.sharedViewState.{board_key(study)}",
        json.dumps(_view(query or board_query(study), metric, searched)),
    )


def board_key(study: str) -> str:
    """Name of a study's board, in the letters that MLflow allows.

    Examples
    --------
    >>> board_key("^GSPC-h1-2M-r25-5c6b697c")
    'GSPC-h1-2M-r25-5c6b697c'
    """
    return re.sub(r"[^A-Za-z0-9.-]", "_", study).strip("_")


def board_link(experiment_id: str, study: str, tracking_uri: str = "") -> str:
    """Link that opens the board of one study's trials and baselines, in a server's UI or that of ``patchscale ui``.

    Filter and order stand in the board, not in the link: MLflow ignores a
    shared view when the address holds either.
    """
    address = server_address(tracking_uri) or UI_ADDRESS
    return (
        f"{address}/#/experiments/{experiment_id}/runs?workflowType=machine_learning&compareRunsMode=CHART"
        f"&viewStateShareKey={board_key(study)}"
    )


def board_query(study: str) -> str:
    """MLflow filter for a study's trials and baselines; it knows no "or", so the other roles are left out."""
    return " and ".join([matching({STUDY: study}), *(f"tags.`{ROLE}` != '{role}'" for role in NOT_SHOWN)])


def param_axes(searched: Sequence[str]) -> list[str]:
    """Params with an axis, always as many.

    Examples
    --------
    >>> param_axes(["n_heads", "context_length"])
    ['n_heads', 'd_model', 'n_layers', 'd_ff', 'dropout', 'context_length']
    """
    others = [name for name in searched if name in WINDOW_PARAMS]
    return [*PARAM_AXES[: len(PARAM_AXES) - len(others)], *others]


def _view(query: str, metric: str, searched: Sequence[str]) -> dict[str, Any]:
    axes = {"selectedParams": param_axes(searched), "selectedMetrics": [*METRIC_AXES[:-1], metric]}
    return {
        "searchFilter": query,
        "orderByKey": f"metrics.`{metric}`",
        "orderByAsc": metric == LOSS_METRIC,
        "runsHiddenMode": "SHOWALL",
        "isAccordionReordered": True,
        "compareRunSections": [
            _section(ARCHITECTURES, columns=1),
            _section(LOSSES, columns=2),
            *(_section(name, columns=3, display=False) for name in GENERATED),
        ],
        "compareRunCharts": [
            _chart("parallel", "PARALLEL", ARCHITECTURES, **axes, showAllRuns=True),
            _line("val-loss", "val/loss"),
            _line("train-loss", "train/loss"),
            _scatter("loss-n-params", "hp/log10_n_params", metric),
            _scatter("loss-learning-rate", "hp/log10_learning_rate", metric),
        ],
    }


def _section(name: str, columns: int, display: bool = True) -> dict[str, Any]:
    layout = {"columns": columns, "cardHeight": 420, "display": display, "isReordered": False, "isGenerated": False}
    return {"uuid": f"patchscale-{name}", "name": name, **layout}


def _chart(name: str, kind: str, section: str, **fields: Any) -> dict[str, Any]:
    return {
        "uuid": f"patchscale-{name}",
        "type": kind,
        "runsCountToCompare": 100,
        "metricSectionId": f"patchscale-{section}",
        "deleted": False,
        "isGenerated": False,
        **fields,
    }


def _line(name: str, metric: str) -> dict[str, Any]:
    axes = {"xAxisKey": "step", "xAxisScaleType": "linear", "scaleType": "linear", "lineSmoothness": 0}
    return _chart(name, "LINE", LOSSES, metricKey=metric, selectedMetricKeys=[metric], **axes)


def _scatter(name: str, x: str, y: str) -> dict[str, Any]:
    return _chart(name, "SCATTER", LOSSES, xaxis={"key": x, "type": "METRIC"}, yaxis={"key": y, "type": "METRIC"})
