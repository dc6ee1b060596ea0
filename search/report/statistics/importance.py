"""Importance of hyper-parameters, by two methods that may disagree.

PED-ANOVA asks which parameters tell the best tenth of the trials from the others; fANOVA fits a random forest to
the losses and takes its variance apart.

References
----------
Watanabe, Bansal and Hutter (2023), "PED-ANOVA: efficiently quantifying hyperparameter importance in arbitrary
subspaces". Hutter, Hoos and Leyton-Brown (2014), "An efficient approach for assessing hyperparameter importance".
"""

from __future__ import annotations

from collections.abc import Sequence

import optuna
import pandas as pd
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.importance import FanovaImportanceEvaluator, PedAnovaImportanceEvaluator, get_param_importances

from model.spec.spec import Spec
from search.space.grid import AXES, DIMENSIONS
from search.space.ranks import TRAINING

MIN_TRIALS = 20
PED_ANOVA, FANOVA = "PED-ANOVA", "fANOVA"


def importances(specs_M: Sequence[Spec], losses_M: Sequence[float], *, seed: int = 0) -> pd.DataFrame | None:
    """Share of each searched parameter, by both methods; of a window only where trials differ in it.

    Parameters
    ----------
    specs_M, losses_M : sequence
        What each finished trial ran, and its validation loss.
    seed : int
        Of the forest.

    Returns
    -------
    DataFrame or None
        Indexed by parameter, one column a method, most important first by their mean; None where
        there are fewer than 20 trials, or all have the same loss.
    """
    if len(losses_M) < MIN_TRIALS or len(set(losses_M)) == 1:
        return None
    study = _as_study(specs_M, losses_M)
    found = {
        PED_ANOVA: get_param_importances(study, evaluator=PedAnovaImportanceEvaluator()),
        FANOVA: get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=seed)),
    }
    table = pd.DataFrame(found).fillna(0.0)
    order = table.mean(axis=1).sort_values(ascending=False, kind="stable").index
    return table.loc[order].rename_axis("parameter")


def _as_study(specs_M: Sequence[Spec], losses_M: Sequence[float]) -> optuna.Study:
    """Give Optuna the trials as the record holds them, in dimensions."""
    axes = {axis: sorted({getattr(spec.architecture, axis) for spec in specs_M}) for axis in DIMENSIONS}
    axes = {axis: values for axis, values in axes.items() if axis in AXES or len(values) > 1}
    distributions: dict[str, BaseDistribution] = {
        **{axis: CategoricalDistribution(values) for axis, values in axes.items()},
        **TRAINING,
    }
    study = optuna.create_study(direction="minimize")
    for spec, loss in zip(specs_M, losses_M, strict=True):
        params = {
            **{axis: getattr(spec.architecture, axis) for axis in axes},
            **{name: getattr(spec.training, name) for name in TRAINING},
        }
        study.add_trial(optuna.create_trial(params=params, distributions=distributions, value=loss))
    return study
