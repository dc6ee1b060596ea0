"""The study's card: what its MLflow page says about it in words."""

from __future__ import annotations

import pandas as pd

from search.study import Study

BEST_SHOWN = 5


def study_card(study: Study, table: pd.DataFrame, state: str) -> str:
    """Markdown description of a study.

    Parameters
    ----------
    study : Study
        What to describe.
    table : DataFrame
        From :func:`search.trials.trials_table`.
    state : str
        In words: ``complete``, ``interrupted``, …
    """
    plan, split = study.plan, study.plan.split
    finished = table[table["state"] == "finished"]
    lines = [
        f"## {plan.study}",
        "",
        f"**{state}: {len(finished)} of {study.target_trials} trials finished.**",
        "",
        f"Will the {plan.target.rule} of {plan.data.ticker} reach {plan.target.threshold * 100:+g} % within "
        f"{plan.target.horizon} day(s) of the close? Searched: PatchTST architectures of {plan.budget} parameters "
        f"±{plan.tolerance * 100:g} %, {len(plan.grid().architectures)} of them in grid `{plan.grid_hash}`.",
        "",
        f"- data: source `{plan.data.source}`, tier `{plan.data.tier}`, dataset `{plan.data.dataset}`",
        f"- train {split.train_start} to {split.train_end}, validation {split.validation_start} to "
        f"{split.validation_end}; test {split.test_start} to {split.test_end} is not read",
    ]
    if len(finished):
        lines += ["", "| trial | architecture | parameters | loss | base-rate loss | skill | AUC |", "|" + "---|" * 7]
        for row in finished.head(BEST_SHOWN).to_dict("records"):
            lines.append(
                f"| {row['number']} | {row['label']} | {row['n_params']:,.0f} | {row['loss']:.4f} | "
                f"{row['base_rate_loss']:.4f} | {row['skill']:+.3f} | {row['roc_auc']:.3f} |"
            )
        lines += ["", f"The best of {len(finished)} trials on the days it was chosen on: an optimistic figure."]
    return "\n".join(lines)
