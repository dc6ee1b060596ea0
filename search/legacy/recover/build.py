"""From the fields of a record to a trial: the same rules for every form."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from model.spec.budget import Budget
from pipeline.exceptions import InputError
from search.legacy.recover.architecture import Resolved, Stated, resolve, untrusted
from search.legacy.recover.fields import Fields, without_roundings
from search.legacy.recover.grids import matches
from search.legacy.recover.results import error_text, further_metrics, read_curves
from search.legacy.recover.trial import FAILED, FINISHED, KILLED, LOSS, ROC_AUC, UNNAMED, LegacyOutcome, LegacyTrial

DIVERGED = 100.0
ROC_AUC_NAMES = ("val_auc", "val_roc_auc", "val_auroc", "validation_auc")
SETTINGS = frozenset(
    "arch_idx d_model n_layers n_heads d_ff d_ff_ratio param_count n_params learning_rate lr weight_decay dropout "
    "warmup_steps epochs batch_size batch".split()
)
OBJECTIVE_NAMES = ("objective", "objective_name", "metric", "metric_name")
LOSS_NAMES = ("val_loss", "validation_loss", "val_log_loss", "log_loss", "logloss")
# The earlier study's phase of this name is known to have minimised its validation loss.
MINIMISED_LOSS = re.compile("phase6a(?=_|$)")
ENDS = {
    "COMPLETE": (FINISHED, "complete"),
    "SUCCESS": (FINISHED, "complete"),
    "PRUNED": (KILLED, "pruned"),
    "FAIL": (FAILED, "failed in the earlier study"),
    "FAILED": (FAILED, "failed in the earlier study"),
    "ERROR": (FAILED, "failed in the earlier study"),
    "RUNNING": (KILLED, "unfinished: the source says it was running"),
    "WAITING": (KILLED, "unfinished: the source says it was waiting"),
    "FINISHED": (FINISHED, "complete"),
    "DONE": (FINISHED, "complete"),
    "TERMINATED": (FINISHED, "complete"),
    "CRASHED": (FAILED, "crashed in the earlier study"),
    "KILLED": (KILLED, "killed in the earlier study"),
    "PREEMPTED": (KILLED, "unfinished: the source says it was preempted"),
    "PENDING": (KILLED, "unfinished: the source says it was pending"),
    "SCHEDULED": (KILLED, "unfinished: the source says it was scheduled"),
}
BUDGET_IN_NAME = re.compile(r"(?:^|_)([0-9]{1,6}(?:\.[0-9]{1,3})?[KMB])(?=_|$)")
HORIZON_IN_NAME = re.compile(r"(?:^|_)h([0-9]{1,3})(?=_|$)")


def build_trial(
    fields: Fields,
    *,
    study: str | None,
    value_is_loss: bool = False,
    look_up: bool = False,
    dry_run: bool = False,
    comparable: bool = True,
    foreign: bool = False,
    results: Mapping[str, Any] | None = None,
    notes: Mapping[str, str] | None = None,
    **source: Any,
) -> LegacyTrial:
    """Build a trial.

    Parameters
    ----------
    fields : Fields
        Of its record.
    study, notes, **source
        As in :class:`search.legacy.recover.trial.LegacyTrial`; ``source`` is form, where, content, start.
    value_is_loss : bool
        Whether this form's ``value`` is the earlier study's objective, its validation loss.
    look_up : bool
        Whether dimensions were filled in from ``arch_idx``, by a look-up that took the first entry
        of its list where the index was missing (L3): such a row's dimensions can't be trusted.
    dry_run : bool
        Whether the source says so; its value is no result (L9).
    comparable : bool
        Whether it is known which study it is of.
    foreign : bool
        Whether another tool's: habits of the earlier study, in names and values, then say nothing.
    results : Mapping, optional
        What the source says of the trial beside its settings: further metrics, curves, errors.
    """
    results = results or {}
    named = None if foreign else study
    budget, horizon = _budget(fields, named), _horizon(fields, named)
    stated = Stated(
        budget=budget,
        arch_idx=fields.whole("arch_idx", least=0),
        **{name: fields.whole(name) for name in ("d_model", "n_layers", "n_heads", "d_ff")},
        n_params=fields.whole("param_count", "n_params"),
        d_ff_ratio=fields.whole("d_ff_ratio"),
    )
    training = {
        "learning_rate": fields.finite("learning_rate", "lr", least=0),
        **{name: fields.finite(name, least=0) for name in ("weight_decay", "dropout")},
        "warmup_steps": fields.whole("warmup_steps", least=0),
        **{name: fields.whole(name) for name in ("epochs", "batch_size")},
        "batch": fields.text("batch"),
    }
    roc_auc = fields.finite(*ROC_AUC_NAMES)
    metrics = {name: value for name, value in further_metrics(results).items() if name not in ROC_AUC_NAMES}
    has_result = roc_auc is not None or any(not name.lower().startswith("train") for name in metrics)
    outcome = _with_error(
        fields, _outcome(fields, roc_auc, value_is_loss, has_result, None if foreign else DIVERGED), error_text(results)
    )
    if dry_run:
        fields.flags.append("a dry run: its value is no result")
        outcome = LegacyOutcome(status=KILLED, reason="dry run", value_text=outcome.value_text or str(outcome.value))
    figures = {
        "seconds": fields.finite("duration_seconds", "duration_sec", least=0),
        "n_epochs": fields.whole("epochs_run", least=0),
        "best/roc_auc": roc_auc if outcome.status == FINISHED else None,
        **({} if dry_run else metrics),
        **({"val_auc": roc_auc} if outcome.status != FINISHED and not dry_run else {}),
    }
    return LegacyTrial(
        **source,
        study=study,
        budget=budget,
        horizon=horizon,
        number=fields.whole("number", "trial_number", "trial", least=0),
        arch_idx=stated.arch_idx,
        architecture=_architecture(stated, look_up),
        training={name: value for name, value in training.items() if value is not None},
        outcome=outcome,
        figures={name: float(value) for name, value in figures.items() if value is not None},
        notes={name: text for name, text in {**(notes or {}), "dry_run": "true" if dry_run else ""}.items() if text},
        flags=tuple(fields.flags),
        curves={} if dry_run else read_curves(results),
        comparable=comparable,
    )


def _architecture(stated: Stated, look_up: bool) -> Resolved:
    complete = None not in (stated.d_model, stated.n_layers, stated.n_params)
    if look_up and stated.arch_idx is None and complete and matches(0, budget=stated.budget, **stated.dimensions):
        return untrusted(stated, "arch_idx is missing and these are the first entry of its list, a look-up's fallback")
    return resolve(stated)


def is_known_loss(study: str | None) -> bool:
    """Whether a study of this name is known to have minimised its validation loss.

    Examples
    --------
    >>> is_known_loss("phase6a_2M_h1_threshold_1pct"), is_known_loss("phase6c_2m_h1_a50"), is_known_loss(None)
    (True, False, False)
    """
    return study is not None and MINIMISED_LOSS.match(study) is not None


def _budget(fields: Fields, study: str | None) -> str | None:
    found = {text for text in (fields.text("budget"), *_in_name(BUDGET_IN_NAME, study)) if text is not None}
    if len(found) > 1:
        fields.flags.append(f"budget is said to be {' and '.join(sorted(found))}; left out")
    if len(found) != 1:
        return None
    try:
        return Budget(text=found.pop()).text
    except InputError as error:
        fields.flags.append(f"{error}; left out")
        return None


def _horizon(fields: Fields, study: str | None) -> int | None:
    found = {days for days in (fields.whole("horizon", most=999), *map(int, _in_name(HORIZON_IN_NAME, study))) if days}
    if len(found) > 1:
        fields.flags.append(f"horizon is said to be {' and '.join(map(str, sorted(found)))}; left out")
    return found.pop() if len(found) == 1 else None


def _in_name(pattern: re.Pattern[str], study: str | None) -> list[str]:
    return pattern.findall(study) if study is not None else []


def _outcome(
    fields: Fields, roc_auc: float | None, value_is_loss: bool, has_result: bool, diverged: float | None
) -> LegacyOutcome:
    """Say how the trial ended, and what its value is; only a named value becomes a loss."""
    objective, value = _objective(fields, roc_auc, value_is_loss)
    state = fields.text("state", "status")
    status, reason = _end(fields, state, has_result=value is not None or has_result)
    error = fields.text("error_message")
    if status == FAILED and error is not None:
        reason = error
    if value is not None and (not math.isfinite(value) or value == diverged):
        reason = f"value {value} is not finite"
        if value == diverged:
            fields.flags.append(f"value {value} is the earlier study's mark of a diverged trial (L25)")
            reason = f"diverged (value {value})"
        return LegacyOutcome(status=FAILED, reason=reason, objective=objective, value_text=str(value))
    if objective == LOSS and value is not None and value < 0:
        fields.flags.append(f"value {value} can't be a log loss")
        objective = UNNAMED
    return LegacyOutcome(status=status, reason=reason, objective=objective, value=value)


def _with_error(fields: Fields, outcome: LegacyOutcome, error: str) -> LegacyOutcome:
    """Fail a trial that names an error, whatever state it is said to have ended in; a pruned one was stopped."""
    unsaid = outcome.reason in (reason for _, reason in ENDS.values())
    if not error or outcome.reason == "pruned" or (outcome.status == FAILED and not unsaid):
        return outcome
    if outcome.status == FINISHED:
        fields.flags.append(f"it is said to be complete, but names an error: {error}")
    return replace(outcome, status=FAILED, reason=error)


def _objective(fields: Fields, roc_auc: float | None, value_is_loss: bool) -> tuple[str, float | None]:
    """Say what the value is: what the source calls it, or what this form's value is known to be."""
    value, loss = fields.number("value"), fields.number("val_loss")
    if loss is not None:
        both = [loss] if value is None else without_roundings([loss, value])
        if len({repr(each) for each in both}) > 1:
            fields.flags.append(f"value {value} is not val_loss {loss}; what it is, is unknown")
            return LOSS, loss
        return LOSS, both[0]
    if value is not None and roc_auc is not None and len({*without_roundings([value, roc_auc])}) == 1:
        return ROC_AUC, value
    named = fields.word(*OBJECTIVE_NAMES).lower()
    if named:
        return LOSS if named in LOSS_NAMES else ROC_AUC if named in ROC_AUC_NAMES else UNNAMED, value
    maximised = "max" in fields.word("direction", "directions", "study_direction").lower()
    return (LOSS if value_is_loss and not maximised else UNNAMED), value


def _end(fields: Fields, state: str | None, *, has_result: bool) -> tuple[str, str]:
    if state is not None:
        name = state.upper().removeprefix("TRIALSTATE.")
        if name not in ENDS:
            fields.flags.append(f"state {state!r} is unknown")
            return KILLED, f"unfinished: state {state}"
        if ENDS[name][0] != FINISHED or has_result:
            return ENDS[name]
        fields.flags.append("it is said to be complete and has no value")
    return (FINISHED, "complete") if has_result else (KILLED, "unfinished: no value")
