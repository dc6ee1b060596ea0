"""The pruner: which trials are stopped early, after an epoch or after a fold, and never an extreme."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, cast

from optuna.exceptions import ExperimentalWarning
from optuna.pruners import BasePruner, MedianPruner, NopPruner, PatientPruner, WilcoxonPruner
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from pipeline.exceptions import InputError
from search.study.request import MEDIAN, NO_PRUNER, WILCOXON

PRUNERS = (MEDIAN, WILCOXON, NO_PRUNER)
STARTUP_TRIALS = 8
WARM_UP_EPOCHS = 2
PATIENCE_EPOCHS = 1
P_VALUE = 0.1
LEAST_QUARTERS = 8
"""Two years: the signed ranks of fewer quarters can hardly tell two trials apart."""


def make_pruner(name: str) -> BasePruner:
    """Return the pruner of this name.

    ``median`` stops a trial whose best validation loss is above the median of the earlier trials' at
    the same epoch (Golovin et al., KDD 2017, section 3.2.2), from the third epoch on, after eight
    trials, and only if its own loss no longer falls.  ``wilcoxon`` is :class:`FoldPruner`.

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
    if name == NO_PRUNER:
        return NopPruner()
    if name == WILCOXON:
        return FoldPruner()
    median = MedianPruner(n_startup_trials=STARTUP_TRIALS, n_warmup_steps=WARM_UP_EPOCHS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return PatientPruner(median, patience=PATIENCE_EPOCHS)


@dataclass(frozen=True)
class _Seen:
    """What Optuna's pruner looks at of a study."""

    best_trial: FrozenTrial
    direction: StudyDirection


class FoldPruner(BasePruner):
    """Stop a trial after a fold if it is worse than the best trial on the same days.

    Losses of the quarters of all folds so far are paired with those of the best trial that was trained to its end, and
    their signed ranks tested (Wilcoxon, 1945) by :class:`optuna.pruners.WilcoxonPruner`, one-sided at 10 % after each
    fold, from two years on.
    """

    def __init__(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            self._wilcoxon = WilcoxonPruner(p_threshold=P_VALUE, n_startup_steps=LEAST_QUARTERS)

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """Whether the trial's quarters are worse than the best trial's."""
        ended = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        trained = [each for each in ended if trial.intermediate_values.keys() <= each.intermediate_values.keys()]
        if not trained or not trial.intermediate_values:
            return False
        best = min(trained, key=lambda each: (cast(float, each.value), each.number))
        seen: Any = _Seen(best_trial=best, direction=study.direction)
        return self._wilcoxon.prune(seen, trial)
