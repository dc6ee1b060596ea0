"""A study's trials as a table, in dimensions: what people read and plot."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from optuna.trial import FrozenTrial, TrialState

from model.spec.spec import Training, read_fields
from search.space.drawn import TRAINING
from search.space.grid import AXES, DIMENSIONS
from search.space.ranges import LIMITS
from search.study.named_values import read_values
from search.study.study import Study

RESULTS = ("label", "n_params", "epochs", "loss", "base_rate_loss", "skill", "roc_auc", "brier", "seconds")
WHOLE = ("n_params", "epochs", *DIMENSIONS, "batch_size", "retry_of")


def trials_table(study: Study) -> pd.DataFrame:
    """One row a trial, best loss first, unfinished ones last.

    Returns
    -------
    DataFrame
        Columns number, state, the result, the searched axes, the training parameters,
        forced, retry_of, run_id; empty where unknown.
    """
    fixed = read_fields(Training, read_values(study.plan.fixed_settings))
    rows = [_row(trial, fixed) for trial in study.schedule.get_trials(deepcopy=False)]
    axes = [axis for axis in DIMENSIONS if axis in AXES or any(row[axis] is not None for row in rows)]
    drawn = [name for name in LIMITS if name in TRAINING or name in study.plan.drawn]
    columns = ["number", "state", *RESULTS, *axes, *drawn, "forced", "retry_of", "run_id"]
    table = pd.DataFrame(rows, columns=columns).astype({name: "Int64" for name in WHOLE if name in columns})
    return table.sort_values(["loss", "number"], ignore_index=True)


def _row(trial: FrozenTrial, fixed: Mapping[str, object]) -> dict[str, object]:
    attributes = trial.user_attrs
    finished = trial.state == TrialState.COMPLETE and "reuses" not in attributes
    state = attributes.get("end", trial.state.name.lower())
    return {
        "number": trial.number,
        "state": "finished" if finished else state,
        **(attributes.get("result", {}) if finished else {}),
        **{axis: attributes.get(axis) for axis in DIMENSIONS},
        **{name: trial.params.get(name, fixed.get(name)) for name in LIMITS},
        **{name: attributes.get(name) for name in ("forced", "retry_of", "run_id")},
    }
