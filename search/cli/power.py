"""``patchscale power``: what a number of days could show, before any compute is spent."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from pipeline.exceptions import InputError
from search.cli.options import request_options
from search.study.values import fraction, whole_number

if TYPE_CHECKING:
    from search.evidence.power import PlannedPower


@click.command()
@click.option("--days", default="502", show_default=True, help="Forecast days that are evaluated.")
@click.option("--folds", default="0", show_default=True, help="Whole years that are evaluated together, for --days.")
@request_options("horizon", horizon="Days that a label looks ahead.")
@click.option("--base-rate", default="0.2", show_default=True, help="Assumed share of positive days.")
@click.option("--auc", default="0.74", show_default=True, help="Assumed AUC of the models compared.")
@click.option("--correlation", default="0.87", show_default=True, help="Assumed correlation of two models' AUCs.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def power(days: str, folds: str, horizon: int, base_rate: str, auc: str, correlation: str, as_json: bool) -> None:
    """Say which AUC a number of days could show.

    Also which AUC gain between two models; both at 80 % power.
    """
    n_days, n_folds = whole_number("days", days, 1), whole_number("folds", folds, 0)
    if n_folds and click.get_current_context().get_parameter_source("days") is not ParameterSource.DEFAULT:
        raise InputError(f"either days or folds must be given, got --days {days} and --folds {folds}; leave one out")
    assumed = {
        "base_rate": fraction("base_rate", base_rate),
        "roc_auc": fraction("auc", auc),
        "correlation": fraction("correlation", correlation),
    }
    from search.evidence.power import plan_power
    from search.results.detectable import days_of_folds

    planned = plan_power(days_of_folds(n_folds) if n_folds else n_days, horizon, **assumed)
    click.echo(json.dumps(asdict(planned), indent=2) if as_json else _in_words(planned))


def _in_words(planned: PlannedPower) -> str:
    rows = {
        "days": f"{planned.days:,}",
        "independent days they are worth": f"{planned.effective_days:,.0f}",
        "smallest AUC that differs from 0.5": f"{planned.smallest_auc:.3f}",
        "smallest AUC gain between two models": f"{planned.smallest_gain:.3f}",
        "smallest gain in log loss": f"{planned.smallest_loss:.4f}",
    }
    width = max(map(len, rows))
    lines = [f"horizon {planned.horizon}, {planned.power:.0%} power at {planned.size:.0%}, two-sided"]
    lines += [f"{name:<{width}}  {value:>6}" for name, value in rows.items()]
    return "\n".join([*lines, *(f"assumed, not measured: {line}" for line in planned.assumptions)])
