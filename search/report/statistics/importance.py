"""Importance of hyper-parameters, by two methods that may disagree.

PED-ANOVA asks which parameters tell the best tenth of the trials from the others; fANOVA fits a random forest to
the losses and takes its variance apart.

References
----------
Watanabe, Bansal and Hutter (2023), "PED-ANOVA: efficiently quantifying hyperparameter importance in arbitrary
subspaces". Hutter, Hoos and Leyton-Brown (2014), "An efficient approach for assessing hyperparameter importance".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import optuna
import pandas as pd
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.importance import FanovaImportanceEvaluator, PedAnovaImportanceEvaluator, get_param_importances

from model.spec.spec import Spec
from search.space.drawn import TRAINING, contains
from search.space.grid import AXES, DIMENSIONS

MIN_TRIALS = 20
PED_ANOVA, FANOVA = "PED-ANOVA", "fANOVA"


def importances(
    specs_M: Sequence[Spec],
    losses_M: Sequence[float],
    *,
    ranges: Mapping[str, BaseDistribution] = TRAINING,
    seed: int = 0,
) -> pd.DataFrame | None:
    """Share of each searched parameter, by both methods; of a window only where trials differ in it.

    Parameters
    ----------
    specs_M, losses_M : sequence
        What each finished trial ran, and its validation loss.
    ranges : mapping
        Of the training settings that were searched.
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
    study = _as_study(specs_M, losses_M, ranges)
    found = {
        PED_ANOVA: get_param_importances(study, evaluator=PedAnovaImportanceEvaluator()),
        FANOVA: get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=seed)),
    }
    table = pd.DataFrame(found).fillna(0.0)
    order = table.mean(axis=1).sort_values(ascending=False, kind="stable").index
    return table.loc[order].rename_axis("parameter")


def _as_study(
    specs_M: Sequence[Spec], losses_M: Sequence[float], ranges: Mapping[str, BaseDistribution]
) -> optuna.Study:
    """Give Optuna the trials as the record holds them, in dimensions."""
    axes = {axis: sorted({getattr(spec.architecture, axis) for spec in specs_M}) for axis in DIMENSIONS}
    axes = {axis: values for axis, values in axes.items() if axis in AXES or len(values) > 1}
    distributions: dict[str, BaseDistribution] = {
        **{axis: CategoricalDistribution(values) for axis, values in axes.items()},
        **{name: _wide_enough(each, [getattr(s.training, name) for s in specs_M]) for name, each in ranges.items()},
    }
    study = optuna.create_study(direction="minimize")
    for spec, loss in zip(specs_M, losses_M, strict=True):
        params = {
            **{axis: getattr(spec.architecture, axis) for axis in axes},
            **{name: getattr(spec.training, name) for name in ranges},
        }
        study.add_trial(optuna.create_trial(params=params, distributions=distributions, value=loss))
    return study


def _wide_enough(distribution: BaseDistribution, values_M: Sequence[float]) -> BaseDistribution:
    """Widen a range to what was trained: settings of an import, or of a first study, may lie outside of it."""
    if all(contains(distribution, value) for value in values_M):
        return distribution
    if isinstance(distribution, CategoricalDistribution):
        return CategoricalDistribution(list(dict.fromkeys([*distribution.choices, *values_M])))
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    low, high = min(distribution.low, *values_M), max(distribution.high, *values_M)
    log = distribution.log and low > 0
    return (
        FloatDistribution(low, high, log=log)
        if isinstance(distribution, FloatDistribution)
        else IntDistribution(int(low), int(high), log=log)
    )
