"""Legacy JSON: a bare list of trials, or an object around one, perhaps recovered from a log."""

from __future__ import annotations

from typing import Any

from pipeline.exceptions import InputError
from search.legacy.parse.source import MAX_TRIALS, SourceFile
from search.legacy.parse.strict_json import entry_lines, parse_json
from search.legacy.recover.build import build_trial
from search.legacy.recover.fields import Fields, canonical
from search.legacy.recover.report import FileReport
from search.legacy.recover.trial import LegacyTrial

RECOVERY = "log_recovery"
FORCED = "forced_"
KNOWN = frozenset(("number", "trial_number", "value", "val_loss", "params", "arch_idx"))


def parse_json_trials(source: SourceFile, report: FileReport) -> list[LegacyTrial]:
    """Read every trial, or refuse the file.

    Raises
    ------
    InputError
        If it is not JSON, neither a list of trials nor an object that holds one, or an entry is no trial.
    """
    document = parse_json(source.text, source.name)
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
        return [_trial(entry, wrapper, line) for entry, line in zip(entries, lines, strict=True)]
    except RecursionError:
        raise InputError(f"a JSON file must not nest deeply, got too many levels in {source.name}") from None


def _trial(entry: dict[str, Any], wrapper: dict[str, Any], line: int) -> LegacyTrial:
    params, attributes = _mapping(entry.get("params")), _mapping(entry.get("user_attrs"))
    forced = {key.removeprefix(FORCED): value for key, value in attributes.items() if key.startswith(FORCED)}
    extreme = forced.pop("extreme", None)
    shared: dict[str, Any] = {key: wrapper[key] for key in ("experiment", "budget", "horizon") if key in wrapper}
    fields = Fields(entry, params, forced, attributes, shared)
    form = "json list" if not wrapper else f"json {RECOVERY if wrapper.get('generated_from') == RECOVERY else 'study'}"
    return build_trial(
        fields,
        form=form,
        where=f"line {line}",
        content=canonical({**entry, **{f"study.{key}": value for key, value in shared.items()}}),
        study=Fields(entry, shared).text("experiment"),
        value_is_loss=bool(wrapper),
        look_up=bool(wrapper),
        dry_run=any(each.get("dry_run") is True for each in (entry, attributes, wrapper)),
        notes={
            "forced": "extreme" if extreme is True else "",
            "extreme_type": fields.text("extreme_type") or "",
            "timestamp": Fields(wrapper).text("timestamp") or "",
        },
    )


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
