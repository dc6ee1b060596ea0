"""Reads the points of a scaling fit from studies that differ in nothing but their budget."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from model.spec.budget import Budget
from model.spec.choices import NONE
from model.spec.spec import flatten
from pipeline.exceptions import InputError
from search.evidence.bootstrap import has_support
from search.evidence.forecasts import Forecasts, load_forecasts
from search.results.class_counts import MIN_CLASS_DAYS, counts_in_words
from search.scaling.points import Points
from search.scaling.result import Scaling
from search.scaling.scaling import N_RESAMPLES, scaling_of_points
from search.space.axes import WINDOW_AXES
from search.study.named_values import read_values
from search.study.plan import SEVERAL_VALUES, Plan
from search.study.study import Study

MAY_DIFFER = (
    *("study", "budget", "tolerance", "grid_hash", "space_hash", "seed", "min_head_dim"),
    *("d_model_axis", "n_layers_axis", "n_heads_axis", "ff_ratio_axis"),
)
FOLLOWS_BUDGET = (*WINDOW_AXES, "width_rates")


def scaling_of(studies: Sequence[Study], *, n_resamples: int = N_RESAMPLES, seed: int = 0) -> Scaling:
    """Compare the losses of studies of several budgets with their measured sizes.

    See :func:`search.scaling.scaling.scaling_of_points`.

    Raises
    ------
    InputError
        If the studies differ in more than their budget, or a study has no finished trial.
    """
    return scaling_of_points(
        points_of(studies), horizon=studies[0].plan.target.horizon, n_resamples=n_resamples, seed=seed
    )


def points_of(studies: Sequence[Study]) -> Points:
    """Every finished valid trial of the studies, by budget and then in the order they were run.

    Raises
    ------
    InputError
        As :func:`scaling_of`.
    """
    _require_comparable(studies)
    ordered = sorted(studies, key=lambda study: Budget(text=study.plan.budget).n_params)
    forecasts = [load_forecasts(study).of_role("trial") for study in ordered]
    for study, each in zip(ordered, forecasts, strict=True):
        _require_same_days(study, each, ordered[0], forecasts[0])
    if not has_support(forecasts[0].y_D):
        counted = counts_in_words(len(forecasts[0].y_D), int(forecasts[0].y_D.sum()))
        raise InputError(
            f"scaling needs at least {MIN_CLASS_DAYS} days of each class, got {counted}; lower the threshold"
        )
    sizes = [Budget(text=study.plan.budget).n_params for study in ordered]
    distinct = sorted(set(sizes))
    return Points(
        budgets=tuple(ordered[sizes.index(size)].plan.budget for size in distinct),
        budget_T=np.repeat([distinct.index(size) for size in sizes], [len(each.names) for each in forecasts]),
        n_params_T=np.array([n for each in forecasts for n in each.n_params], dtype=float),
        losses_TD=np.concatenate([each.losses_MD for each in forecasts]),
        names=tuple(
            f"{study.plan.study} {name}" for study, each in zip(ordered, forecasts, strict=True) for name in each.names
        ),
    )


def _require_comparable(studies: Sequence[Study]) -> None:
    names = [study.plan.study for study in studies]
    if not names or len(set(names)) < len(names):
        raise InputError(f"studies must be given once each, at least one, got {', '.join(names) or 'none'}")
    for study in studies[1:]:
        different = differences(studies[0].plan, study.plan)
        if different:
            raise InputError(
                f"studies must differ in their budget only, got {'; '.join(different)} "
                f"({names[0]} there, {study.plan.study} here); compare studies of the same forecast"
            )


def differences(first: Plan, other: Plan) -> list[str]:
    """Name what two plans differ in beyond their budget, their architectures and what follows from these."""
    mine, theirs = (_compared(each) for each in (first, other))
    return [
        f"{name} {mine.get(name, NONE)} there, {theirs.get(name, NONE)} here"
        for name in {**mine, **theirs}
        if mine.get(name) != theirs.get(name)
    ]


def _compared(plan: Plan) -> dict[str, str]:
    """Gather what of a plan must be equal: its axes may differ, and so may what follows the budget.

    That is the window, and whether rates follow the width: the rates that are searched are then others.
    """
    held = {name: value for name, value in flatten(plan) if name not in (*MAY_DIFFER, *SEVERAL_VALUES)}
    settings = {**read_values(plan.fixed_settings), **read_values(plan.search_ranges)}
    return held | {name: value for name, value in settings.items() if name not in FOLLOWS_BUDGET}


def _require_same_days(study: Study, forecasts: Forecasts, first: Study, first_forecasts: Forecasts) -> None:
    if not forecasts.names:
        raise InputError(f"study {study.plan.study} must have finished trials, got none; run patchscale hpo")
    if not forecasts.has_days_of(first_forecasts):
        raise InputError(
            f"studies must be scored on the same days and outcomes, got {len(forecasts.dates_D)} days of "
            f"{study.plan.study} and {len(first_forecasts.dates_D)} of {first.plan.study}; rerun one of them"
        )
