"""Section: the walk-forward, whose days did not choose the weights that forecast them."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import MaxNLocator

from model.metrics import evaluate
from search.evidence import Forecasts, score_intervals
from search.report.inputs.study_inputs import StudyInputs
from search.report.inputs.walked_trial import chosen_row, missing_baselines, missing_in_words, unbiased
from search.report.layout.blocks import Block, Figure, Section, Table, Text
from search.report.layout.columns import (
    DIFFERENCE_CELLS,
    Cell,
    difference_columns,
    interval,
    interval_columns,
    make_table,
    named,
    number,
    text,
)
from search.report.layout.format import plural, short_name
from search.report.layout.palette import Palette
from search.tracking.tags import BASELINE_ROLE, TRIAL_ROLE
from search.walk_forward.tables import span, year_frame

BASE_RATE = f"{BASELINE_ROLE} base_rate"


def walk_forward_section(inputs: StudyInputs, walked: Forecasts) -> Section:
    """Show the walk-forwards of a study: pooled without the years that chose its settings, and year by year."""
    shown, optimistic = unbiased(inputs, walked)
    enough = shown is not walked
    blocks: list[Block] = [
        Text(
            text="Each year is forecast by models that were fitted to the years before it only. The setting was chosen "
            f"with data up to the validation days; {_named(optimistic, enough)}"
        ),
        Text(text=compared_in_words(inputs, walked)),
        _pooled_table(shown),
        *([_year_figure(walked, optimistic)] if BASELINE_ROLE in walked.roles else []),
        _year_table(walked, optimistic),
    ]
    return Section(slug="walk-forward", title="Year by year, out of sample", short="Walk-forward", blocks=tuple(blocks))


def compared_in_words(inputs: StudyInputs, walked: Forecasts) -> str:
    """Say which of the walked specs the verdict speaks of, and what is missing for it."""
    row, n_others = chosen_row(inputs), walked.roles.count(TRIAL_ROLE)
    if row is None:
        said = (
            "The study's lowest-loss trial was not walked forward, so the verdict says nothing of what is shown here."
        )
    else:
        said = f"The verdict speaks of {short_name(walked.names[row])} alone, the study's lowest loss."
        n_others -= 1
    if n_others:
        said += f" {plural(n_others, 'other spec')} beside it: the best of several is favoured by their number."
    if missing_baselines(walked):
        missing = missing_in_words(inputs, walked)
        said += f" {missing[0].upper()}{missing[1:]}"
    return said


def pooled_frame(forecasts: Forecasts) -> pd.DataFrame:
    """Score every model on all days, and its log loss against the best baseline's, with intervals."""
    y_D = forecasts.y_D
    best = forecasts.best(BASELINE_ROLE) if BASELINE_ROLE in forecasts.roles else None
    rows = []
    for row, (name, role) in enumerate(zip(forecasts.names, forecasts.roles, strict=True)):
        found = score_intervals(y_D, forecasts.p_MD[row])
        apart = None if best in (None, row) else forecasts.difference(row, best)
        rows.append(
            {
                "model": name,
                "role": role,
                **{name: value for metric in found for name, value in interval_columns(metric, found[metric]).items()},
                "base_rate_loss": evaluate(y_D, forecasts.p_MD[row]).base_rate_loss,
                **difference_columns(apart),
            }
        )
    return pd.DataFrame(rows).sort_values("loss", kind="stable", ignore_index=True)


def _named(optimistic: list[int], enough: bool) -> str:
    if not optimistic:
        return "none of the years shown is one of those."
    years = ", ".join(map(str, optimistic))
    if not enough:
        return f"{years} are among the years shown, and are optimistic."
    return f"{years} are among those, starred below, and left out of the pooled table."


def _pooled_table(forecasts: Forecasts) -> Table:
    return make_table(
        "walk_forward",
        f"Pooled forecasts, {span(forecasts)}, with 95 % intervals; differences in log loss are to the best "
        "walked baseline on the same days, below 0 is better.",
        {
            "model": named("model"),
            "AUC": interval("roc_auc", 3),
            "log loss": interval("loss", 4),
            "base-rate loss": number("base_rate_loss", 4),
            **DIFFERENCE_CELLS,
        },
        pooled_frame(forecasts),
    )


def _year_figure(forecasts: Forecasts, optimistic: list[int]) -> Figure:
    opponent = forecasts.names[forecasts.best(BASELINE_ROLE)]
    frame = year_frame(forecasts)
    reference = frame[frame["model"] == opponent].set_index("year")["loss"]
    data = frame[frame["model"] != opponent].assign(difference=lambda f: f["loss"] - f["year"].map(reference))

    def draw(canvas: Canvas, palette: Palette) -> None:
        axes = canvas.subplots()
        axes.axhline(0, color=palette.faint, lw=1)
        for year in optimistic:
            axes.axvspan(year - 0.5, year + 0.5, color=palette.line, alpha=0.6, lw=0)
        looks = {TRIAL_ROLE: ("-", palette.model, palette.third), BASELINE_ROLE: (":", palette.baseline, palette.faint)}
        shown = data[data["model"] != BASE_RATE]
        for place, (name, part) in enumerate(shown.groupby("model", sort=False)):
            style, *colours = looks[part["role"].iloc[0]]
            colour, marker, label = colours[place % 2], "osD^v"[place % 5], short_name(str(name))
            axes.plot(part["year"], part["difference"], style, color=colour, marker=marker, ms=4, label=label)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_ylabel(f"log loss less {short_name(opponent)}'s")
        axes.legend(loc="best", fontsize=8)

    return Figure(
        name="walk_forward_years",
        alt=f"Log loss of each walked model less that of {short_name(opponent)}, {frame['year'].min()} to "
        f"{frame['year'].max()}, year by year.",
        caption=f"Difference in log loss to {short_name(opponent)}, the best walked baseline over all years, year by "
        "year; below 0 is better. Shaded years chose the setting. A gain that is real shows in most years, not in one.",
        data=data,
        draw=draw,
    )


def _year_table(forecasts: Forecasts, optimistic: list[int]) -> Table:
    frame = year_frame(forecasts)
    names = [name for name in forecasts.names if name != BASE_RATE]
    years = frame.groupby("year")[["n_days", "base_rate", "base_rate_loss"]].first()
    losses = frame.pivot(index="year", columns="model", values="loss")[names]
    columns: dict[str, Cell] = {
        "year": lambda row: f"{row['year']}{'*' if row['year'] in optimistic else ''}",
        "days": text("n_days"),
        "positive": number("base_rate", 3),
        "base-rate loss": number("base_rate_loss", 4),
    }
    return make_table(
        "walk_forward_by_year",
        "Log loss by year, beside the base rate's in that year. Starred years chose the setting: optimistic.",
        columns | {short_name(name): number(name, 4) for name in names},
        frame,
        shown=years.join(losses).reset_index(),
    )
