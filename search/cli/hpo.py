"""``patchscale hpo``: start, continue or extend a study."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from search.cli.grid import GRID_DEFAULTS, GRID_HELP, parse_axes, parse_tolerance
from search.cli.values import duration, fraction, whole_number

if TYPE_CHECKING:
    from search.hpo.command import Request

DEFAULTS = {
    "budget": "2M",
    **GRID_DEFAULTS,
    "trials": "50",
    "horizon": "1",
    "threshold": "0.01",
    "source": "sample",
    "ticker": "",
    "train_tickers": "",
    "tier": "r25",
    "split": "auto",
    "sampler": "tpe",
    "workers": "auto",
    "pruner": "median",
    "timeout": "",
    "seed": "0",
    "max_epochs": "6",
    "patience": "2",
    "offset": "none",
    "instance_norm": "none",
    "study": "",
    "tracking_uri": "",
    "storage": "",
    "device": "auto",
}
HELP = {
    "budget": "Parameter budget: 2M, 20M, 200M, 2B, 350K, 1.5B.",
    **GRID_HELP,
    "trials": "Finished trials that make the study complete; more extends it.",
    "horizon": "Days ahead.",
    "threshold": "Rise to be reached, a fraction: 0.01 is 1 %.",
    "source": "Where bars come from.",
    "ticker": "Symbol; empty is the source's own, ^GSPC for sample.",
    "train_tickers": "Further tickers whose training rows are trained on too, separated by commas.",
    "tier": "Feature set.",
    "split": "auto, or TRAIN_END/VALIDATION_END/TEST_END in ISO dates.",
    "sampler": "What proposes trials after the six extremes: tpe, gp or random; may change when a study is continued.",
    "workers": "Processes, one thread each; auto is one per core.",
    "pruner": "median, or none: whether trials worse than the median are stopped early; extremes never are.",
    "timeout": "Stop after the epochs that run then, as in 90s, 30m, 8h or 1h30m; empty is no limit.",
    "seed": "Of the sampler and of every trial.",
    "max_epochs": "Most epochs of a trial.",
    "patience": "Epochs without a better validation loss before a trial stops.",
    "offset": "Baseline whose frozen logit the Transformer adds to: none, logistic or boosting.",
    "instance_norm": "none, or revin: each window's features lose their own mean and scale; pair it with an offset.",
    "study": "Name; empty is made from ticker, target, budget, tier and dataset.",
    "tracking_uri": "MLflow's store; empty is MLFLOW_TRACKING_URI or mlruns/mlflow.db.",
    "storage": "Optuna's store; empty is optuna.db beside MLflow's.",
    "device": "auto, cpu or cuda.",
}


@click.command()
def hpo(**options: str) -> None:
    """Search the architectures of a budget; the same command again resumes."""
    from search.hpo.command import run_study

    sys.exit(run_study(read_request(options)))


def read_request(options: Mapping[str, str]) -> Request:
    """Read the options of ``hpo``; an empty one has its default.

    Raises
    ------
    InputError
        Naming the first rule that a value breaks.
    """
    parsed = {
        **{name: text or DEFAULTS[name] for name, text in options.items() if name not in GRID_DEFAULTS},
        **{name: whole_number(name, options[name] or DEFAULTS[name], 1) for name in ("trials", "horizon")},
        **{name: whole_number(name, options[name] or DEFAULTS[name], 1) for name in ("max_epochs", "patience")},
        "seed": whole_number("seed", options["seed"] or DEFAULTS["seed"], 0),
        "timeout": duration("timeout", options["timeout"]),
        "threshold": fraction("threshold", options["threshold"] or DEFAULTS["threshold"]),
        "tolerance": parse_tolerance(options),
        "axes": parse_axes(options),
    }
    from search.hpo.command import Request

    return Request(**parsed)  # type: ignore[arg-type]


for _name, _default in DEFAULTS.items():
    _flag = "--" + _name.replace("_", "-")
    hpo = click.option(_flag, _name, default=_default, show_default=bool(_default), help=HELP[_name])(hpo)
