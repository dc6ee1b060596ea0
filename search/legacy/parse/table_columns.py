"""What the columns of another tool's table are: settings, results, steps, states, times, or of no known use."""

from __future__ import annotations

import re
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Any, NamedTuple

from search.legacy.parse.source import MAX_TRIALS
from search.legacy.parse.spilled import Picked
from search.legacy.recover.column_map import OURS, RESULTS, ROLES, ColumnMap
from search.legacy.recover.fields import printable, read_number
from search.legacy.recover.foreign import KNOWN_SETTINGS, ForeignTrial
from search.legacy.recover.results import is_metric

# Names by which Optuna's data frame, W&B and Ray Tune call the same thing, the first that is there counts.
KNOWN_ROLES = {
    "number": ("number", "trial_number"),
    "study": ("study", "study_name", "sweep", "Sweep"),
    "name": ("name", "Name", "run_name", "experiment_tag"),
    "id": ("trial_id", "id", "ID", "run_id"),
    "state": ("state", "State", "status"),
    "started": ("datetime_start", "Created", "created_at", "start_time"),
    "ended": ("datetime_complete", "end_time"),
    "seconds": ("duration", "Runtime", "_runtime", "time_total_s", "duration_seconds", "seconds"),
    "step": ("training_iteration", "_step", "step", "epoch"),
    "done": ("done",),
    "error": ("error", "error_message", "exception"),
}
SETTING = re.compile(r"(?:params_|params[./]|config[./]|hyperparameters[./]|parameters[./])(?P<name>.+)")
ATTRIBUTE = re.compile(r"(?:user_attrs_|user_attrs[./])(?P<name>.+)")
RESULT = re.compile(r"(?:summary|metrics|results)[./](?P<name>.+)")
VALUES = re.compile(r"value|values_[0-9]+")
_DAYS = re.compile(r"(?:(?P<days>[0-9]+) days?,? )?(?P<hours>[0-9]{1,2}):(?P<minutes>[0-9]{2}):(?P<seconds>[0-9.]+)")


class Row(NamedTuple):
    """A row: its place, and its cells that say something."""

    where: str
    values: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Columns:
    """Columns by what they are.

    Parameters
    ----------
    form : str
        ``ray``, ``wandb``, ``optuna`` data frame and others as ``table``.
    roles : Mapping
        Their name of what places a row, by our word.
    params, attributes, metrics : Mapping
        Our name by theirs.
    values : sequence of str
        Objective values.
    homeless : sequence of str
        Columns of no known use.
    """

    form: str
    roles: Mapping[str, str]
    params: Mapping[str, str] = field(default_factory=dict)
    attributes: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, str] = field(default_factory=dict)
    values: Sequence[str] = ()
    homeless: Sequence[str] = ()

    @classmethod
    def of(cls, names: Sequence[str], columns: ColumnMap) -> Columns:
        """Sort columns; what the user maps goes first."""
        there = {name.replace("/", "."): name for name in names}
        asked = {ours: name.replace("/", ".") for ours, name in columns.theirs.items()}
        mapped = {ours: there[name] for ours, name in asked.items() if name in there}
        roles = {ours: name for ours, name in mapped.items() if ours in ROLES}
        for role, known in KNOWN_ROLES.items():
            found = next((name for name in known if name in names and name not in mapped.values()), None)
            if found is not None:
                roles.setdefault(role, found)
        params, attributes, metrics, homeless = {}, {}, {}, []
        values = [mapped["value"]] if "value" in mapped else [n for n in names if VALUES.fullmatch(n)]
        for name in names:
            if name in roles.values() or name in values:
                continue
            setting, attribute, result = (pattern.fullmatch(name) for pattern in (SETTING, ATTRIBUTE, RESULT))
            ours = next((each for each, theirs in mapped.items() if theirs == name), None)
            if ours in RESULTS:
                metrics[name] = ours
            elif ours in OURS:
                params[name] = ours
            elif setting:
                params[name] = setting["name"]
            elif attribute:
                attributes[name] = attribute["name"]
            elif result or is_metric(name):
                metrics[name] = result["name"] if result else name
            elif name in KNOWN_SETTINGS:
                params[name] = name
            else:
                homeless.append(name)
        return cls(
            form=_form(names),
            roles=roles,
            params=params,
            attributes=attributes,
            metrics=metrics,
            values=values,
            homeless=homeless,
        )

    def groups(self, rows: Sequence[Row]) -> list[Sequence[Row]]:
        """Bring the rows of a trial together: by its id, else each is one; steps without an id are of one trial.

        Of more trials than a source may have one more than those is found, no others.
        """
        identity = self.roles.get("id") or ("" if "step" in self.roles else None)
        if identity is None or ("step" not in self.roles and _all_differ(rows, identity)):
            return [Picked(rows, (at,)) for at in range(min(len(rows), MAX_TRIALS + 1))]
        places: dict[str, array[int]] = {}
        for at, row in enumerate(rows):
            places.setdefault(str(row.values.get(identity, "")), array("Q")).append(at)
            if len(places) > MAX_TRIALS:
                break
        return [Picked(rows, each) for each in places.values()]

    def trial(self, rows: Sequence[Row], *, objective: str) -> ForeignTrial:
        """Make a trial of its rows: the last that says a thing counts, and results by step are curves."""
        last = {name: value for row in rows for name, value in row.values.items()}
        said = {role: last[name] for role, name in self.roles.items() if name in last}
        number = read_number(said.get("number"))
        seconds, started = _seconds(said.get("seconds")), _moment(said.get("started"))
        return ForeignTrial(
            form=self.form,
            where=rows[0].where if len(rows) == 1 else f"{rows[0].where} to {rows[-1].where}",
            study=printable(str(said["study"])) if "study" in said else None,
            origin=str(said.get("id", "")),
            name=str(said.get("name", said.get("id", ""))),
            number=int(number) if number is not None and number.is_integer() and number >= 0 else None,
            state=self._state(said),
            params=_renamed(last, self.params),
            attributes={**_renamed(last, self.attributes), **({"error": said["error"]} if "error" in said else {})},
            metrics=_renamed(last, self.metrics),
            curves=self._curves(rows),
            values=[value for name in self.values if (value := read_number(last.get(name))) is not None],
            directions=[objective] if objective else [],
            started=started,
            ended=_moment(said.get("ended")),
            seconds=seconds,
        )

    def _state(self, said: Mapping[str, Any]) -> str | None:
        if "state" in said:
            return str(said["state"])
        if "done" in said:
            return "DONE" if str(said["done"]).lower() == "true" else "RUNNING"
        return None

    def _curves(self, rows: Sequence[Row]) -> dict[str, dict[int, float]]:
        step = self.roles.get("step")
        if step is None:
            return {}
        curves: dict[str, dict[int, float]] = {}
        measured = {**self.metrics, **dict.fromkeys(self.values, "value")}
        for row in rows:
            at = read_number(row.values.get(step))
            for name, ours in measured.items():
                value = read_number(row.values.get(name))
                if at is not None and at.is_integer() and value is not None:
                    curves.setdefault(ours, {})[int(at)] = value
        return curves


def _all_differ(rows: Sequence[Row], name: str) -> bool:
    """Whether no two rows say the same; of those that a source may have, as many are looked at."""
    seen: set[Any] = set()
    for row in islice(rows, MAX_TRIALS + 1):
        value = row.values.get(name)
        if value in seen:
            return False
        seen.add(value)
    return True


def is_placed(name: str) -> bool:
    """Whether a name says by itself that it is a setting, an attribute or a result."""
    return any(pattern.fullmatch(name) for pattern in (SETTING, ATTRIBUTE, RESULT)) or is_metric(name)


def flatten(entry: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Write nested objects with dotted names; lists stay whole.

    Examples
    --------
    >>> flatten({"config": {"model": {"heads": 8}}, "val_loss": 0.4})
    {'config.model.heads': 8, 'val_loss': 0.4}
    """
    found: dict[str, Any] = {}
    for name, value in entry.items():
        if isinstance(value, Mapping) and value:
            found |= flatten(value, f"{prefix}{name}.")
        elif value is not None and value != "" and value != {}:
            found[f"{prefix}{name}"] = value
    return found


def _form(names: Sequence[str]) -> str:
    if "training_iteration" in names:
        return "ray"
    if {"Name", "State"} <= set(names) or any(name in ("_step", "_runtime", "_timestamp") for name in names):
        return "wandb"
    return "table"


def _renamed(record: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {ours: _number(record[name]) for name, ours in names.items() if name in record}


def _number(value: Any) -> Any:
    """Read a cell's number; whatever else it says stays as it is."""
    number = read_number(value) if isinstance(value, str) else None
    if number is None:
        return value
    return (
        int(number)
        if number.is_integer() and abs(number) < 1e15 and "." not in value and "e" not in value.lower()
        else number
    )


def _seconds(value: Any) -> float | None:
    """Read a duration: seconds, or as pandas writes it.

    Examples
    --------
    >>> _seconds("0 days 00:01:02.5"), _seconds("61"), _seconds("-")
    (62.5, 61.0, None)
    """
    number = read_number(value)
    if number is not None:
        return number if 0 <= number < 1e12 else None
    found = _DAYS.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        return None
    days, hours, minutes = (int(found[name] or 0) for name in ("days", "hours", "minutes"))
    return days * 86400 + hours * 3600 + minutes * 60 + float(found["seconds"])


def _moment(value: Any) -> datetime | None:
    """Read a time: in ISO form, or seconds or milliseconds since 1970."""
    number = read_number(value)
    if number is not None:
        scale = next((scale for scale in (1, 1000) if 1e9 <= number / scale < 4e9), None)
        return None if scale is None else datetime.fromtimestamp(number / scale, UTC)
    try:
        return datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
