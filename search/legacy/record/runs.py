"""The MLflow form of a legacy trial: tags, params and metrics with the names that this project's own runs have."""

from __future__ import annotations

import math

from search.legacy.recover.architecture import DIMENSIONS, UNKNOWN
from search.legacy.recover.fields import printable
from search.legacy.recover.trial import FINISHED, FOREIGN, LegacyTrial
from search.tracking.tags import REASON, STUDY, TRIAL_NUMBER

ORIGIN, LEGACY = "origin", "legacy"
FINGERPRINT, START, SOURCE, FILE = "legacy.fingerprint", "legacy.start", "legacy.source", "legacy.file"
N_HEADS = "legacy.n_heads"
MAX_TAG = 5000
APART = "mixed/"
COMPARABLE, DIRECTION = "legacy.comparable", "legacy.direction"
BEST = "best/"


def run_name(trial: LegacyTrial) -> str:
    """Name a run by number and dimensions, with ``?`` for what is unknown.

    Examples
    --------
    >>> from search.legacy.recover.trial import LegacyOutcome
    >>> killed = LegacyOutcome(status="KILLED", reason="x")
    >>> run_name(LegacyTrial(form="csv", where="line 2", content="{}", outcome=killed))
    'legacy d?-L?-h?-ff?'
    """
    if trial.form in FOREIGN and trial.notes.get("name"):
        return trial.notes["name"]
    number = LEGACY if trial.number is None else f"{trial.number:03d}"
    return f"{number} {_label(trial)}"


def trial_tags(trial: LegacyTrial, file: str) -> dict[str, str]:
    """Tags of a trial's run: where it is from, how it ended, and what is known of it in which way."""
    a, outcome = trial.architecture, trial.outcome
    value = outcome.value_text or ("" if outcome.value is None or outcome.status == FINISHED else str(outcome.value))
    optional = {
        STUDY: trial.study,
        TRIAL_NUMBER: None if trial.number is None else str(trial.number),
        START: trial.start,
        "legacy.arch_idx": None if trial.arch_idx is None else str(trial.arch_idx),
        "legacy.n_heads.candidates": a.candidates,
        "legacy.grid": a.grids,
        "legacy.untrusted": a.untrusted,
        "legacy.value": value,
        "legacy.flags": "; ".join(trial.all_flags),
        COMPARABLE: "" if trial.comparable else "no",
        DIRECTION: trial.direction,
        **{f"legacy.{name}": text for name, text in trial.notes.items()},
    }
    return {
        ORIGIN: LEGACY,
        REASON: outcome.reason,
        FINGERPRINT: trial.fingerprint,
        FILE: file,
        "legacy.form": trial.form,
        "legacy.where": trial.where,
        "legacy.objective": outcome.objective,
        N_HEADS: a.n_heads_origin,
        "legacy.d_ff": a.d_ff_origin,
        "legacy.fields": printable(trial.content, MAX_TAG),
        **{name: printable(text, MAX_TAG) for name, text in optional.items() if text},
    }


def trial_params(trial: LegacyTrial) -> dict[str, str]:
    """Params: only what is known."""
    known: dict[str, object] = {
        **{name: getattr(trial.architecture, name) for name in DIMENSIONS},
        **trial.training,
        "budget": trial.budget,
        "horizon": trial.horizon,
        "architecture": None if "?" in _label(trial) else _label(trial),
    }
    stated = {name: str(value) for name, value in known.items() if value is not None}
    return {**{name: printable(text, MAX_TAG) for name, text in trial.settings.items()}, **stated}


def trial_metrics(trial: LegacyTrial) -> dict[str, float]:
    """Metrics: the mirrored dimensions, further figures, and the value of a finished trial under its name.

    A value that the source doesn't name is ``best/objective``: neither a loss nor an AUC. What is not comparable
    stands under ``mixed/…``, where nothing looks for a best.
    """
    a, outcome, training = trial.architecture, trial.outcome, trial.training
    found = {f"hp/{name}": float(value) for name in DIMENSIONS if (value := getattr(a, name)) is not None}
    if a.n_params is not None:
        found["hp/log10_n_params"] = math.log10(a.n_params)
    rate, dropout = training.get("learning_rate"), training.get("dropout")
    if isinstance(rate, int | float) and rate > 0:
        found["hp/log10_learning_rate"] = math.log10(rate)
    if isinstance(dropout, int | float):
        found["hp/dropout"] = float(dropout)
    if outcome.status == FINISHED and outcome.value is not None:
        found[f"{BEST}{'objective' if outcome.objective == UNKNOWN else outcome.objective}"] = outcome.value
    found |= trial.figures
    if trial.comparable:
        return found
    return {name.replace(BEST, APART, 1) if name.startswith(BEST) else name: value for name, value in found.items()}


def _label(trial: LegacyTrial) -> str:
    a = trial.architecture
    d, n, h, ff = ("?" if value is None else value for value in (a.d_model, a.n_layers, a.n_heads, a.d_ff))
    return f"d{d}-L{n}-h{h}-ff{ff}"
