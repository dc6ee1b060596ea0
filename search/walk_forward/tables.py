"""Tables of walk-forwards: pooled evidence, differences from the best baseline, and year by year."""

from __future__ import annotations

from collections.abc import Container, Sequence

import numpy as np
import pandas as pd
from rich.table import Table

from model.metrics import evaluate
from search.evidence.forecasts import Forecasts
from search.evidence.long_run import level_in_words, score_intervals
from search.evidence.text import interval_text, number_text
from search.results.class_counts import counts_in_words
from search.tracking.tags import BASELINE_ROLE

COMPARED = ("loss", "roc_auc")
YEARLY = ("n_days", "base_rate", "loss", "base_rate_loss", "roc_auc")
SHOWN_METRICS = {"loss": "log loss", "roc_auc": "AUC"}


def without_years(forecasts: Forecasts, years: Sequence[int]) -> Forecasts:
    """Forecasts of the days that are not in these years."""
    return forecasts.of_days(~np.isin(forecasts.dates_D.year, years))


def of_names(forecasts: Forecasts, names: Container[str]) -> Forecasts:
    """Forecasts of the models that have these names."""
    return forecasts.of_rows([row for row, name in enumerate(forecasts.names) if name in names])


def span(forecasts: Forecasts) -> str:
    """Years and days, as in ``2008-2020 and 2022, 3,525 days``.

    Examples
    --------
    >>> import pandas as pd
    >>> days = pd.DatetimeIndex(["2008-01-02", "2009-01-02", "2011-01-03"])
    >>> span(Forecasts(dates_D=days, y_D=np.zeros(3), p_MD=np.zeros((1, 3)), names=("a",), roles=("trial",),
    ...                run_ids=("1",), n_params=(1,), horizon=1))
    '2008-2009 and 2011, 3 days'
    """
    years = np.unique(forecasts.dates_D.year)
    parts = np.split(years, np.flatnonzero(np.diff(years) > 1) + 1)
    named = [str(part[0]) if len(part) == 1 else f"{part[0]}-{part[-1]}" for part in parts]
    return f"{' and '.join(named)}, {len(forecasts.dates_D):,} days"


def pooled_table(forecasts: Forecasts, title: str) -> Table:
    """Score of every model on all days, with 95 % intervals."""
    table = Table(title=f"{title}, {span(forecasts)}")
    _add_columns(table, "model", "AUC", "log loss", "base-rate loss", "Brier")
    y_D = forecasts.y_D
    base_rate_loss = evaluate(y_D, np.full(len(y_D), 0.5)).base_rate_loss
    table.caption = (
        f"95 % intervals: {level_in_words(len(y_D))}, whoever else stands here; "
        f"{counts_in_words(len(y_D), int(y_D.sum()))}"
    )
    for name, p_D in zip(forecasts.names, forecasts.p_MD, strict=True):
        found = {metric: interval_text(value) for metric, value in score_intervals(y_D, p_D).items()}
        table.add_row(name, found["roc_auc"], found["loss"], f"{base_rate_loss:.4f}", found["brier"])
    return table


def difference_table(forecasts: Forecasts, title: str) -> Table | None:
    """Paired difference of every model from the best baseline on these days; None without a baseline."""
    if BASELINE_ROLE not in forecasts.roles or len(forecasts.names) < 2:
        return None
    best = forecasts.best(BASELINE_ROLE)
    table = Table(
        title=f"{title}: less {forecasts.names[best]}, the best on these days",
        caption="p: one-sided, the model is better; detectable: smallest true difference that these days show "
        "with 80 % power at 5 %",
    )
    _add_columns(table, "model", "metric", "difference", "p", "detectable")
    for row, name in enumerate(forecasts.names):
        for metric in COMPARED if row != best else ():
            found = forecasts.difference(row, best, metric=metric)
            cells = (interval_text(found, sign=True), number_text(found.p_value), number_text(found.detectable))
            table.add_row(name, SHOWN_METRICS[metric], *cells)
    return table


def yearly_table(forecasts: Forecasts, metric: str, optimistic: Sequence[int]) -> Table:
    """Score of every model year by year; years on whose days the spec was chosen are starred."""
    caption = "* validation days, on which the spec was chosen: optimistic" if optimistic else None
    table = Table(title=f"{SHOWN_METRICS[metric]} by year", caption=caption)
    for name in ("year", "days", "base rate", *(("base-rate loss",) if metric == "loss" else ())):
        table.add_column(name, justify="right", no_wrap=True)
    for name in forecasts.names:
        table.add_column(name.removeprefix(f"{BASELINE_ROLE} "), justify="right")
    for year, part in year_frame(forecasts).groupby("year"):
        first = part.iloc[0]
        shown = [f"{first['base_rate_loss']:.4f}"] if metric == "loss" else []
        star = "*" if year in optimistic else ""
        scores = map(number_text, part[metric])
        table.add_row(f"{year}{star}", str(first["n_days"]), f"{first['base_rate']:.3f}", *shown, *scores)
    return table


def _add_columns(table: Table, left: str, *figures: str) -> None:
    table.add_column(left, no_wrap=True)
    for name in figures:
        table.add_column(name, justify="right", no_wrap=True)


def year_frame(forecasts: Forecasts) -> pd.DataFrame:
    """Score every model in every year, beside the base rate's loss in it."""
    rows = []
    for year in np.unique(forecasts.dates_D.year):
        inside_D = np.asarray(forecasts.dates_D.year == year)
        for name, role, p_D in zip(forecasts.names, forecasts.roles, forecasts.p_MD[:, inside_D], strict=True):
            found = evaluate(forecasts.y_D[inside_D], p_D)
            scores = {score: getattr(found, score) for score in YEARLY}
            rows.append({"year": int(year), "model": name, "role": role, **scores})
    return pd.DataFrame(rows)
