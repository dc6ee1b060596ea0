"""The pruner: which trials are stopped early, and never an extreme."""

from __future__ import annotations

import warnings

from optuna.exceptions import ExperimentalWarning
from optuna.pruners import BasePruner, MedianPruner, NopPruner, PatientPruner

from pipeline.exceptions import InputError

PRUNERS = ("median", "none")
STARTUP_TRIALS = 8
WARM_UP_EPOCHS = 2
PATIENCE_EPOCHS = 1


def make_pruner(name: str) -> BasePruner:
    """Return the pruner of this name.

    ``median`` stops a trial whose best validation loss is above the median of the earlier trials' at
    the same epoch (Golovin et al., KDD 2017, section 3.2.2), from the third epoch on, after eight
    trials, and only if its own loss no longer falls.

    Raises
    ------
    InputError
        If the name is unknown.

    Examples
    --------
    >>> type(make_pruner("median")).__name__, type(make_pruner("none")).__name__
    ('PatientPruner', 'NopPruner')
    """
    if name not in PRUNERS:
        raise InputError(f"pruner must be one of {', '.join(PRUNERS)}, got {name!r}")
    if name == "none":
        return NopPruner()
    median = MedianPruner(n_startup_trials=STARTUP_TRIALS, n_warmup_steps=WARM_UP_EPOCHS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return PatientPruner(median, patience=PATIENCE_EPOCHS)
