"""From a trial that another tool recorded to one of ours: its own names, a map of the user's, nothing guessed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from search.legacy.recover.architecture import STATED, UNKNOWN, Resolved
from search.legacy.recover.build import SETTINGS, build_trial
from search.legacy.recover.column_map import ColumnMap
from search.legacy.recover.fields import Fields, canonical, printable
from search.legacy.recover.results import CURVE_NAMES, is_metric, metric_name
from search.legacy.recover.trial import LegacyTrial, digest

KNOWN_SETTINGS = SETTINGS | {"budget", "horizon"}
MINIMIZE, MAXIMIZE = "minimize", "maximize"


@dataclass(kw_only=True, slots=True)
class ForeignTrial:
    """What a tool recorded of a trial.

    Parameters
    ----------
    form, where : str
        As in :class:`search.legacy.recover.trial.LegacyTrial`.
    study : str, optional
        Name of its study, experiment or sweep.
    origin : str
        What tells its study from another one of the same name.
    name : str
        Of the trial, if it has one.
    number : int, optional
        Of the trial.
    state : str, optional
        As the tool says it.
    params, attributes, metrics : Mapping
        Settings, further facts, and results by name.
    curves : Mapping
        Results by step.
    values : sequence of float
        Objective values; one of several objectives has no best.
    value_names, directions : sequence of str
        Of the values, as far as they are known.
    started, ended : datetime, optional
        A time without a zone is one of this machine's clock.
    seconds : float, optional
        How long it took.
    """

    form: str
    where: str
    study: str | None = None
    origin: str = ""
    name: str = ""
    number: int | None = None
    state: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    curves: Mapping[str, Mapping[int, float]] = field(default_factory=dict)
    values: list[float] = field(default_factory=list)
    value_names: list[str] = field(default_factory=list)
    directions: list[str] = field(default_factory=list)
    started: datetime | None = None
    ended: datetime | None = None
    seconds: float | None = None


def build_foreign(trial: ForeignTrial, columns: ColumnMap) -> LegacyTrial:
    """Give every field of a trial its place in a run.

    Settings that have the names of this project's are its params, whatever else was set stands beside them under
    its own name; results are metrics under their own names, the objective ``best/loss`` or ``best/roc_auc`` only
    where it is called so, else ``best/objective``; attributes are tags.
    """
    params = columns.apply({**trial.attributes, **trial.metrics, **trial.params}, trial.params)
    metrics = {**trial.metrics, **columns.results(trial.params, trial.attributes)}
    measured = {name: value for name, value in trial.attributes.items() if is_metric(name)}
    values = _named_values(trial)
    fields = Fields(
        {name: value for name, value in params.items() if name in KNOWN_SETTINGS},
        {
            **measured,
            **metrics,
            **values,
            "number": trial.number,
            "state": trial.state,
            "duration_seconds": trial.seconds,
        },
    )
    settings = {
        name: _text(value) for name, value in params.items() if name not in KNOWN_SETTINGS and value is not None
    }
    known = build_trial(
        fields,
        form=trial.form,
        where=trial.where,
        content=_content(trial),
        start=digest(trial.form, trial.study, trial.origin, str(trial.number)) if trial.origin else "",
        study=trial.study,
        foreign=True,
        results={**measured, **metrics, **{f"objective_{n}": value for n, value in enumerate(trial.values)}}
        if len(trial.values) > 1
        else {**trial.attributes, **metrics},
        notes={
            "name": printable(trial.name),
            "started": "" if trial.started is None else trial.started.isoformat(sep=" "),
            "ended": "" if trial.ended is None else trial.ended.isoformat(sep=" "),
            **{
                f"attr.{metric_name(name)}": _text(value)
                for name, value in trial.attributes.items()
                if value is not None
            },
            **({"directions": " ".join(trial.directions)} if len(trial.directions) > 1 else {}),
        },
    )
    direction = trial.directions[0] if len(trial.directions) == 1 else ""
    curves = {CURVE_NAMES.get(name, metric_name(name)): curve for name, curve in trial.curves.items() if curve}
    return _with_foreign_parts(known, fields, settings, direction, {**known.curves, **curves}, trial)


def _with_foreign_parts(
    known: LegacyTrial,
    fields: Fields,
    settings: Mapping[str, str],
    direction: str,
    curves: Mapping[str, Mapping[int, float]],
    trial: ForeignTrial,
) -> LegacyTrial:
    """Add what only foreign trials have; nothing is looked up in the grids of the earlier study."""
    d_model, ratio = fields.whole("d_model"), fields.whole("d_ff_ratio")
    stated = fields.whole("d_ff")
    d_ff = stated if stated is not None else d_model * ratio if d_model is not None and ratio is not None else None
    n_heads = fields.whole("n_heads")
    architecture = Resolved(
        d_model=d_model,
        n_layers=fields.whole("n_layers"),
        n_heads=n_heads,
        d_ff=d_ff,
        n_params=fields.whole("param_count", "n_params"),
        n_heads_origin=UNKNOWN if n_heads is None else STATED,
        d_ff_origin=UNKNOWN if d_ff is None else STATED if stated is not None else "d_model times d_ff_ratio",
    )
    started, ended = _milliseconds(trial.started), _milliseconds(trial.ended)
    if ended is None and started is not None and trial.seconds is not None:
        ended = started + int(trial.seconds * 1000)
    return replace(
        known,
        architecture=architecture,
        settings=_with_own_names(settings),
        direction=direction,
        curves=curves,
        started=started,
        ended=ended,
    )


def _with_own_names(settings: Mapping[str, str]) -> dict[str, str]:
    """Name settings as MLflow can; of two that would have one name the second gets a number."""
    found: dict[str, str] = {}
    for name, text in settings.items():
        plain = metric_name(name)
        free = (each for number in range(2, len(settings) + 2) if (each := f"{plain} {number}") not in found)
        found[plain if plain not in found else next(free)] = text
    return found


def _named_values(trial: ForeignTrial) -> dict[str, Any]:
    """Give the objective the name that its tool gives it; of several, each is a metric and none the objective."""
    if len(trial.values) != 1:
        return {}
    named = {"objective": trial.value_names[0]} if trial.value_names else {}
    return {"value": trial.values[0], **named, "direction": trial.directions[0] if len(trial.directions) == 1 else None}


def _content(trial: ForeignTrial) -> str:
    """Everything that makes the trial what it is, and nothing of where it was found."""
    said = {
        "number": trial.number,
        "name": trial.name,
        "state": trial.state,
        "params": trial.params,
        "attributes": trial.attributes,
        "metrics": trial.metrics,
        "values": trial.values,
        "curves": {name: {str(step): value for step, value in curve.items()} for name, curve in trial.curves.items()},
    }
    return canonical({name: json.loads(json.dumps(part, default=str)) for name, part in said.items()})


def _milliseconds(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp() * 1000)


def _text(value: Any) -> str:
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return value if isinstance(value, str) else json.dumps(value, default=str)
