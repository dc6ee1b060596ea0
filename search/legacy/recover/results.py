"""What a record says beside settings: metrics under their own names, curves, errors."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from search.legacy.recover.fields import printable, read_number

_WORDS = (
    "loss|losses|auc|aucs|auroc|auprc|ap|accuracy|acc|precision|recall|f1|score|brier|logloss|rmse|mae|mse|mcc|kappa|ece|"
    "r2|sharpe|specificity|sensitivity"
)
_METRIC = re.compile(rf"(?:^|[_/. -])(?:{_WORDS})(?:[_/. -]?[0-9]*)$|^objective_[0-9]+$", re.IGNORECASE)
ERRORS = ("error", "error_message", "error_msg", "exception", "traceback", "failure", "fail_reason", "failure_reason")
NO_ERROR = frozenset(("", "-", "none", "nan", "null", "no", "false", "0", "n/a", "ok"))
OBJECTIVES = frozenset(("value", "val_loss"))
CURVES = (
    "learning_curve",
    "curve",
    "curves",
    "history",
    "epochs",
    "epoch_history",
    "training_history",
    "metrics_history",
)
INTERMEDIATE = ("intermediate_values", "intermediate")
STEPS = ("step", "epoch", "iteration", "training_iteration", "_step")
CURVE_NAMES = {"train_loss": "train/loss", "val_loss": "val/loss", "val_auc": "val/roc_auc", "value": "intermediate"}


def is_metric(name: str) -> bool:
    """Whether a name is that of a result.

    Examples
    --------
    >>> [is_metric(name) for name in ("val_precision", "test_f1", "loss", "n_heads", "map_size", "focal_loss_gamma")]
    [True, True, True, False, False, False]
    """
    return _METRIC.search(name) is not None


def metric_name(name: str) -> str:
    """Take a source's own name for MLflow, whose names have fewer letters, and are paths without detours.

    Examples
    --------
    >>> metric_name("a//b"), metric_name("a/../b"), metric_name("./a/./b/"), metric_name("//")
    ('a/b', 'a/b', 'a/b', 'unnamed')
    """
    letters = re.sub(r"[^\w ./:-]", "_", printable(name, 100), flags=re.ASCII).strip(" ./:")
    return "/".join(part for part in letters.split("/") if part not in ("", ".", "..")) or "unnamed"


def further_metrics(results: Mapping[str, Any]) -> dict[str, float]:
    """Finite metrics that are no objective, under their own names."""
    found = ((metric_name(name), read_number(value)) for name, value in results.items() if is_metric(name))
    return {
        name: value for name, value in found if value is not None and math.isfinite(value) and name not in OBJECTIVES
    }


def error_text(results: Mapping[str, Any]) -> str:
    """Error that a record names; empty if it names none.

    Examples
    --------
    >>> error_text({"error": "RuntimeError: MPS backend"}), error_text({"error": None}), error_text({"error": 0.25})
    ('RuntimeError: MPS backend', '', '')
    """
    for name in ERRORS:
        given = results.get(name)
        if given is True:
            return f"{name} (no more is said)"
        if isinstance(given, str) and given.strip().lower() not in NO_ERROR and read_number(given) is None:
            return printable(" ".join(given.split()))
        if isinstance(given, dict | list) and given:
            return printable(str(given))
    return ""


def read_curves(results: Mapping[str, Any]) -> dict[str, dict[int, float]]:
    """Metrics by step.

    Rows that each say their epoch, a list a metric, and Optuna's intermediate values are curves; where no step
    is said, they count from 0.

    Examples
    --------
    >>> read_curves({"learning_curve": [{"epoch": 1, "val_loss": 0.4}, {"epoch": 2, "val_loss": 0.3}]})
    {'val/loss': {1: 0.4, 2: 0.3}}
    >>> read_curves({"history": {"val_loss": [0.4, 0.3]}}), read_curves({"intermediate_values": {"5": 0.5}})
    ({'val/loss': {0: 0.4, 1: 0.3}}, {'intermediate': {5: 0.5}})
    """
    curves: dict[str, dict[int, float]] = {}
    for name, step, value in _points(results):
        number = read_number(value)
        if number is not None and math.isfinite(number):
            curves.setdefault(CURVE_NAMES.get(name, metric_name(name)), {})[step] = number
    return curves


def _points(results: Mapping[str, Any]) -> Iterator[tuple[str, int, Any]]:
    for key, given in results.items():
        if isinstance(given, list) and given and all(isinstance(row, dict) for row in given):
            if key in CURVES or all(any(step in row for step in STEPS) for row in given):
                yield from _rows(given)
        elif isinstance(given, list) and is_metric(key):
            name = re.sub("losses$", "loss", re.sub("aucs$", "auc", key))
            yield from ((name, step, value) for step, value in enumerate(given))
        elif isinstance(given, dict) and key in INTERMEDIATE:
            yield from (("value", int(step), value) for step, value in given.items() if _is_step(step))
        elif isinstance(given, dict) and key in CURVES:
            steps = next((given[name] for name in STEPS if isinstance(given.get(name), list)), None)
            for name, values in given.items():
                if name not in STEPS and isinstance(values, list):
                    yield from (
                        (name, _step(steps[at] if steps is not None and at < len(steps) else None, at), value)
                        for at, value in enumerate(values)
                    )


def _rows(rows: list[dict[str, Any]]) -> Iterator[tuple[str, int, Any]]:
    for at, row in enumerate(rows):
        step = _step(next((row[name] for name in STEPS if name in row), None), at)
        yield from ((name, step, value) for name, value in row.items() if name not in STEPS)


def _step(given: object, at: int) -> int:
    number = read_number(given)
    return int(number) if number is not None and number.is_integer() else at


def _is_step(text: object) -> bool:
    number = read_number(text)
    return number is not None and number.is_integer()
