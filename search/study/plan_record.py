"""A plan as the two stores hold it, also that of a study which an earlier version made."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from model.spec.migrations import MIGRATIONS, PLAN_SCHEMA, RECORD_SCHEMA, SCHEMA, Migration, complete, schema_of
from model.spec.spec import field_names, flatten, unflatten
from pipeline.exceptions import RecordError
from search.space.drawn import range_text, range_texts
from search.space.ranks import SearchSpace, space_hash
from search.study.named_values import read_values, write_values
from search.study.plan import Plan, unsearched

if TYPE_CHECKING:
    import optuna

FIRST_RANGES = (
    "batch_size=int 64 to 256 step 64,dropout=float 0.0 to 0.5,learning_rate=float 3e-05 to 0.003 log,"
    "warmup_fraction=float 0.0 to 0.3,weight_decay=float 0.001 to 0.3 log"
)
FIRST_SETTINGS = (
    "attention_dropout=0.0,beta1=0.9,beta2=0.95,clip_norm=1.0,context_length=60,epsilon=1e-08,label_smoothing=0.0,"
    "patch_length=10,stride=5"
)
PLAN_MIGRATIONS = (
    *MIGRATIONS,
    Migration(schema=PLAN_SCHEMA, name="search_ranges", value=FIRST_RANGES),
    Migration(schema=PLAN_SCHEMA, name="fixed_settings", value=FIRST_SETTINGS),
    Migration(schema=PLAN_SCHEMA, name="space_hash", value=""),
)
"""Of the plan, beside those of the spec; the first studies' ``space_hash`` follows from their grid and their trials."""


def plan_params(plan: Plan) -> dict[str, str]:
    """Flatten a plan for the record, with the schema of that."""
    return {**dict(flatten(plan)), RECORD_SCHEMA: str(SCHEMA)}


def plan_suffix(plan: Plan) -> str:
    """Tell a plan from others of its study's name: six hex digits of everything else in it."""
    told = {name: value for name, value in flatten(plan) if name != "study"}
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:6]


def read_plan(params: Mapping[str, str], schedule: optuna.Study | None = None) -> Plan:
    """Rebuild a plan from its params: the inverse of :func:`plan_params`.

    The first studies did not hold the ranges that they were searched in, but their trials do: where one was drawn
    from others than the rest, the plan names both, and is the plan of no study that can be searched on.

    Raises
    ------
    RecordError
        If a field is missing.
    """
    held = complete(params, PLAN_MIGRATIONS)
    missing = [name for name in field_names(Plan) if name not in held]
    if missing:
        raise RecordError(f"a study's record must hold every field of its plan, missing {', '.join(missing)}")
    later = {each.name: each.value for each in MIGRATIONS if schema_of(params) < each.schema}
    settings = {name: value for name, value in later.items() if name in unsearched()}
    settings |= read_values(held["fixed_settings"])
    plan: Plan = unflatten(Plan, {**held, "fixed_settings": write_values(settings)})
    return plan if plan.space_hash else _with_drawn_ranges(plan, schedule)


def _with_drawn_ranges(plan: Plan, schedule: optuna.Study | None) -> Plan:
    """Take the ranges that the trials were drawn from; before the first, those that such a study was made with."""
    drawn: dict[str, set[str]] = defaultdict(set)
    for trial in schedule.get_trials(deepcopy=False) if schedule is not None else ():
        for name, distribution in trial.distributions.items():
            drawn[name].add(range_text(distribution))
    ranges = range_texts(SearchSpace(plan.grid()).distributions()) | read_values(plan.search_ranges)
    ranges |= {name: " and ".join(sorted(texts)) for name, texts in drawn.items()}
    searched = {name: ranges[name] for name in read_values(plan.search_ranges)}
    return replace(plan, search_ranges=write_values(searched), space_hash=space_hash(ranges))
