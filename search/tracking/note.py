"""What a run's page says of its evaluation: the verdict in words, and the best baseline beside it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

PREVIEW_DAYS = 40
BASELINE_MISSING = "not logged yet; patchscale baselines STUDY does"


CHOSEN = "one seed; the days chose the epoch, and among trials the best, so the figures flatter"


def chosen_in_words(n_folds: int, n_seeds: int) -> str:
    """Say what a trial's figures are of, and what the days chose.

    Examples
    --------
    >>> chosen_in_words(0, 1)
    'one seed; the days chose the epoch, and among trials the best, so the figures flatter'
    >>> chosen_in_words(8, 3).partition(";")[0]
    'mean of 3 seeds'
    """
    seeds = "one seed" if n_seeds == 1 else f"mean of {n_seeds} seeds"
    if not n_folds:
        return CHOSEN.replace("one seed", seeds)
    return (
        f"{seeds}; {n_folds} years, each forecast by a model of the years before it, so the days chose no epoch, but "
        "among trials the best, so the figures flatter"
    )


def evaluation_note(
    scores: Mapping[str, float],
    baseline: str = BASELINE_MISSING,
    remarks: Sequence[str] = (),
    chosen: str = CHOSEN,
) -> str:
    """Describe an evaluation in Markdown.

    Parameters
    ----------
    scores : mapping
        Fields of an :class:`model.evaluation.Evaluation`; what is undefined may be NaN or left out.
    baseline : str
        The best baseline of these days and its loss, or why there is none.
    remarks : sequence of str, optional
        What else there is to say, a line each; empty ones are left out.
    chosen : str, optional
        What the figures are of, and what the days chose: :func:`chosen_in_words`.

    Examples
    --------
    >>> found = {"loss": 0.4136, "base_rate_loss": 0.4728, "roc_auc": 0.7606, "brier": 0.1312, "n_days": 502.0}
    >>> print(evaluation_note({**found, "base_rate": 91 / 502}, "boosting, log loss 0.3914").splitlines()[0])
    **Better than always saying the base rate** by 0.0592 nats a day: log loss 0.4136 against 0.4728.
    """
    loss, base = scores["loss"], scores["base_rate_loss"]
    verdict = "Better" if loss < base else "Not better"
    days, rate = round(scores["n_days"]), scores["base_rate"]
    lines = [
        f"**{verdict} than always saying the base rate** by {base - loss:.4f} nats a day: log loss {loss:.4f} "
        f"against {base:.4f}.",
        "",
        f"- AUC {_written(scores, 'roc_auc')}, Brier score {_written(scores, 'brier')}, on {days:,} validation days, "
        f"{round(days * rate):,} positive",
        f"- best baseline on the same days: {baseline}",
        *(f"- {remark}" for remark in remarks if remark),
        f"- {chosen}",
        "- `predictions/preview.csv` shows the last days, `predictions/val.parquet` holds all",
    ]
    return "\n".join(lines)


def _written(scores: Mapping[str, float], name: str) -> str:
    value = scores.get(name, math.nan)
    return "undefined" if math.isnan(value) else f"{value:.4f}"
