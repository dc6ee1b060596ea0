"""From the fields of a record to a trial: the same rules for every form."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from model.spec.budget import Budget
from pipeline.exceptions import InputError
from search.legacy.recover.architecture import Resolved, Stated, resolve, untrusted
from search.legacy.recover.fields import Fields
from search.legacy.recover.grids import matches
from search.legacy.recover.trial import FAILED, FINISHED, KILLED, LOSS, ROC_AUC, UNNAMED, LegacyOutcome, LegacyTrial

DIVERGED = 100.0
ENDS = {
    "COMPLETE": (FINISHED, "complete"),
    "SUCCESS": (FINISHED, "complete"),
    "PRUNED": (KILLED, "pruned"),
    "FAIL": (FAILED, "failed in the earlier study"),
    "FAILED": (FAILED, "failed in the earlier study"),
    "ERROR": (FAILED, "failed in the earlier study"),
    "RUNNING": (KILLED, "unfinished: the source says it was running"),
    "WAITING": (KILLED, "unfinished: the source says it was waiting"),
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
    notes: Mapping[str, str] | None = None,
    **source: str,
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
    """
    budget, horizon = _budget(fields, study), _horizon(fields, study)
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
    roc_auc = fields.finite("val_auc")
    outcome = _outcome(fields, roc_auc, value_is_loss)
    if dry_run:
        fields.flags.append("a dry run: its value is no result")
        outcome = LegacyOutcome(status=KILLED, reason="dry run", value_text=outcome.value_text or str(outcome.value))
    figures = {
        "seconds": fields.finite("duration_seconds", "duration_sec", least=0),
        "n_epochs": fields.whole("epochs_run", least=0),
        "best/roc_auc": roc_auc if outcome.status == FINISHED else None,
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
    )


def _architecture(stated: Stated, look_up: bool) -> Resolved:
    complete = None not in (stated.d_model, stated.n_layers, stated.n_params)
    if look_up and stated.arch_idx is None and complete and matches(0, budget=stated.budget, **stated.dimensions):
        return untrusted(stated, "arch_idx is missing and these are the first entry of its list, a look-up's fallback")
    return resolve(stated)


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


def _outcome(fields: Fields, roc_auc: float | None, value_is_loss: bool) -> LegacyOutcome:
    """Say how the trial ended, and what its value is; only a named value becomes a loss."""
    objective, value = _objective(fields, roc_auc, value_is_loss)
    state = fields.text("state", "status")
    status, reason = _end(fields, state, value)
    error = fields.text("error_message")
    if status == FAILED and error is not None:
        reason = error
    if value is not None and (not math.isfinite(value) or value == DIVERGED):
        reason = f"value {value} is not finite"
        if value == DIVERGED:
            fields.flags.append(f"value {value} is the earlier study's mark of a diverged trial (L25)")
            reason = f"diverged (value {value})"
        return LegacyOutcome(status=FAILED, reason=reason, objective=objective, value_text=str(value))
    if objective == LOSS and value is not None and value < 0:
        fields.flags.append(f"value {value} can't be a log loss")
        objective = UNNAMED
    return LegacyOutcome(status=status, reason=reason, objective=objective, value=value)


def _objective(fields: Fields, roc_auc: float | None, value_is_loss: bool) -> tuple[str, float | None]:
    value, loss = fields.number("value"), fields.number("val_loss")
    if loss is not None:
        if value is not None and repr(value) != repr(loss):
            fields.flags.append(f"value {value} is not val_loss {loss}; what it is, is unknown")
        return LOSS, loss
    if value is not None and value == roc_auc:
        return ROC_AUC, value
    return (LOSS if value_is_loss else UNNAMED), value


def _end(fields: Fields, state: str | None, value: float | None) -> tuple[str, str]:
    if state is not None:
        name = state.upper().removeprefix("TRIALSTATE.")
        if name not in ENDS:
            fields.flags.append(f"state {state!r} is unknown")
            return KILLED, f"unfinished: state {state}"
        if ENDS[name][0] != FINISHED or value is not None:
            return ENDS[name]
        fields.flags.append("it is said to be complete and has no value")
    return (FINISHED, "complete") if value is not None else (KILLED, "unfinished: no value")
