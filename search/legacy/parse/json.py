"""Legacy JSON: a bare list of trials, an object around one, perhaps recovered from a log, or a single trial."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from pipeline.exceptions import InputError
from search.legacy.parse.source import MAX_TRIALS, SourceFile
from search.legacy.parse.spilled import Spilled
from search.legacy.parse.strict_json import entry_lines, parse_json
from search.legacy.recover.build import OBJECTIVE_NAMES, SETTINGS, build_trial, is_known_loss
from search.legacy.recover.fields import Fields, canonical
from search.legacy.recover.report import FileReport
from search.legacy.recover.trial import LegacyTrial

RECOVERY = "log_recovery"
FORCED = "forced_"
KNOWN = frozenset(("number", "trial_number", "value", "val_loss", "params", "arch_idx", "val_auc", "architecture"))
SHARED = ("experiment", "budget", "horizon")
OF_A_STUDY = ("direction", "directions", *OBJECTIVE_NAMES)
BUILT = ("architecture", "arch", "model_config")
MEASURED = ("metrics", "results", "scores", "final_metrics")
_TRAINED = "actual|trained|used|applied|resolved"
# Not "final_lr" and "effective_batch_size": what a schedule ends with, and what accumulation makes of a batch.
_TRAINED_KEY = re.compile(rf"(?:{_TRAINED})_(?P<after>\w+)|(?P<before>\w+)_(?:{_TRAINED})")
_TRAINED_PART = re.compile(
    rf"(?:{_TRAINED}|final|effective)(?:_(?:params|parameters|hyperparameters|config|settings))?"
)


def parse_json_trials(source: SourceFile, report: FileReport) -> Sequence[LegacyTrial]:
    """Read every trial, or refuse the file.

    Raises
    ------
    InputError
        If it is not JSON, neither a list of trials nor an object that holds one, or an entry is no trial.
    """
    document = parse_json(source.text, source.name)
    if isinstance(document, dict) and "trials" not in document and KNOWN & set(document):
        report.lines = source.text.count("\n") + 1
        try:
            return [_trial(document, {}, 1, single=True)]
        except RecursionError:
            raise InputError(f"a JSON file must not nest deeply, got too many levels in {source.name}") from None
    wrapper: dict[str, Any] = document if isinstance(document, dict) else {}
    entries = wrapper.get("trials") if wrapper else document
    if not isinstance(entries, list):
        raise InputError(
            f"a legacy JSON file must be a list of trials, or an object with one under 'trials', got "
            f"{type(document).__name__} in {source.name}; see patchscale import --help"
        )
    if len(entries) > MAX_TRIALS:
        raise InputError(f"a legacy file must have at most {MAX_TRIALS:,} trials, got more in {source.name}")
    for position, entry in enumerate(entries, 1):
        if not isinstance(entry, dict) or not KNOWN & set(entry):
            raise InputError(
                f"a trial must be an object with {' or '.join(sorted(KNOWN))}, got another in {source.name} entry "
                f"{position}"
            )
    report.lines = source.text.count("\n") + 1
    try:
        lines = entry_lines(source.text, wrapped=bool(wrapper))
        assert len(lines) == len(entries), "every entry of the list begins on a line"
        maximised = _is_maximised(wrapper)
        return Spilled(
            _trial(entry, wrapper, line, maximised=maximised) for entry, line in zip(entries, lines, strict=True)
        )
    except RecursionError:
        raise InputError(f"a JSON file must not nest deeply, got too many levels in {source.name}") from None


def _trial(
    entry: dict[str, Any], wrapper: dict[str, Any], line: int, *, maximised: bool = False, single: bool = False
) -> LegacyTrial:
    params, attributes = _mapping(entry.get("params")), _mapping(entry.get("user_attrs"))
    forced = {key.removeprefix(FORCED): value for key, value in attributes.items() if key.startswith(FORCED)}
    extreme = forced.pop("extreme", None)
    measured = _merged(part.get(name) for part in (attributes, entry) for name in MEASURED)
    shared: dict[str, Any] = {key: wrapper[key] for key in SHARED if key in wrapper}
    asked: dict[str, Any] = {key: wrapper[key] for key in OF_A_STUDY if key in wrapper}
    recovered = wrapper.get("generated_from") == RECOVERY
    fields = Fields(
        entry, params, forced, attributes, measured, shared, asked, trained=_trained(entry, attributes, recovered)
    )
    form = "json trial" if single else f"json {RECOVERY if recovered else 'study'}" if wrapper else "json list"
    study = Fields(entry, shared).text("experiment", "study_name")
    return build_trial(
        fields,
        form=form,
        where=f"line {line}",
        content=canonical({**entry, **{f"study.{key}": value for key, value in shared.items()}}),
        study=study,
        value_is_loss=is_known_loss(study) and not maximised,
        look_up=bool(wrapper),
        dry_run=any(each.get("dry_run") is True for each in (entry, attributes, wrapper)),
        results={**measured, **attributes, **entry},
        notes={
            "forced": "extreme" if extreme is True else "",
            "extreme_type": fields.text("extreme_type") or "",
            "timestamp": Fields(wrapper or entry).text("timestamp") or "",
            "started": Fields(entry).text("datetime_start", "start_time") or "",
            "ended": Fields(entry).text("datetime_complete", "end_time") or "",
        },
    )


def _trained(entry: dict[str, Any], attributes: dict[str, Any], recovered: bool) -> dict[str, Any]:
    """Collect what a record says was trained, as against drawn; one recovered from a log says it beside params."""
    said: dict[str, Any] = {}
    for part in (entry, attributes):
        for key, value in part.items():
            name = _TRAINED_KEY.fullmatch(key)
            if isinstance(value, dict):
                said |= value if key in BUILT or _TRAINED_PART.fullmatch(key) else {}
            elif name is not None and (setting := name["after"] or name["before"]) in SETTINGS:
                said[setting] = value
    set_in_training = {name: attributes[name] for name in SETTINGS & set(attributes)}
    said = {**set_in_training, **said}
    return {**({name: entry[name] for name in SETTINGS & set(entry)} if recovered else {}), **said}


def _is_maximised(wrapper: dict[str, Any]) -> bool:
    """Whether the best value that a study names is not the smallest of its trials."""
    best = Fields(wrapper, _mapping(wrapper.get("best_trial"))).number("best_value", "value")
    values = [Fields(entry).number("value") for entry in wrapper.get("trials", ()) if isinstance(entry, dict)]
    return best is not None and any(value is not None and value < best for value in values)


def _merged(found: Iterable[object]) -> dict[str, Any]:
    return {name: value for part in found for name, value in _mapping(part).items()}


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
