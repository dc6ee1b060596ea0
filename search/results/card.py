"""The study's card: what its MLflow page says about it in words."""

from __future__ import annotations

import pandas as pd
from rich.filesize import decimal

from search.results.holdout import holdout_in_words
from search.results.influence import influence_of_study
from search.results.trial_runs import recorded_trials
from search.results.trials_table import trials_table
from search.results.weights import weights_in_words
from search.study.study import WORKED, Study
from search.study.values import duration_text
from search.tracking.artifacts import artifact_bytes
from search.tracking.run import RunWriter
from search.tracking.tags import NOTE

BEST_SHOWN = 5
STATE = "study.state"


def study_card(study: Study, table: pd.DataFrame, state: str) -> str:
    """Markdown description of a study, its :func:`trials_table` and its state: ``complete``, ``interrupted``, …."""
    plan, split = study.plan, study.plan.split
    finished, recorded = table[table["state"] == "finished"], recorded_trials(study)
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
        f"{split.validation_end}; {holdout_in_words(study)}",
        f"- artifacts of all its runs: {_artifact_size(study)}; {weights_in_words(study, recorded)}",
        f"- worked on for {_worked(study)}; the run's own duration counts the pauses between commands too",
    ]
    if len(finished):
        lines += ["", "| trial | architecture | parameters | loss | base-rate loss | skill | AUC |", "|" + "---|" * 7]
        for row in finished.head(BEST_SHOWN).to_dict("records"):
            lines.append(
                f"| {row['number']} | {row['label']} | {row['n_params']:,.0f} | {row['loss']:.4f} | "
                f"{row['base_rate_loss']:.4f} | {row['skill']:+.3f} | {row['roc_auc']:.3f} |"
            )
        lines += ["", f"The best of {len(finished)} trials on the days it was chosen on: an optimistic figure."]
    influence = influence_of_study(study, recorded).lines
    if influence:
        lines += ["", "What of the architecture had a say in the loss:", "", *(f"- {line}" for line in influence)]
    return "\n".join(lines)


def update_card(study: Study) -> None:
    """Write the card anew, in the state that the study's run is in."""
    state = study.client.get_run(study.run_id).data.tags.get(STATE, "unknown")
    RunWriter(study.client, study.run_id).set_tags({NOTE: study_card(study, trials_table(study), state)})


def _worked(study: Study) -> str:
    """Say how long commands worked on it; what a killed one did is not counted, and older ones counted nothing."""
    seconds = study.schedule.user_attrs.get(WORKED)
    return "unknown time" if seconds is None else f"at least {duration_text(seconds)}"


def _artifact_size(study: Study) -> str:
    runs = [study.client.get_run(study.run_id), *study.runs()]
    size = artifact_bytes({run.info.run_id: run for run in runs}.values())
    return "unknown, they lie in a store of their own" if size is None else f"{decimal(size)} ({size:,} bytes)"
