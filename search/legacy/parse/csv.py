"""Legacy CSV: study-level results, a row a study's best trial or a final training."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

from pipeline.exceptions import InputError
from search.legacy.parse.flat_dict import parse_flat_dict
from search.legacy.parse.source import MAX_TRIALS, MEBIBYTE, SourceFile
from search.legacy.parse.spilled import Spilled
from search.legacy.parse.strict_json import parse_json
from search.legacy.recover.build import build_trial
from search.legacy.recover.fields import Fields, canonical, printable
from search.legacy.recover.report import FileReport
from search.legacy.recover.trial import LegacyTrial

REQUIRED = ("experiment", "val_loss")
HYPERPARAMETERS = "hyperparameters"
NOTES = ("timestamp", "phase", "task", "timescale", "run_type", "data_md5")


def parse_csv(source: SourceFile, report: FileReport) -> Sequence[LegacyTrial]:
    """Read every row, or refuse the file.

    Raises
    ------
    InputError
        If the header lacks a needed column or repeats one, a row has not as many cells as the
        header, a quote is not closed, or the last line does not end: the file is half-written.
    """
    last = deque(source.lines(MEBIBYTE + 1), maxlen=1)
    if last and not last[0].endswith("\n"):
        raise InputError(
            f"a CSV file must end with a line break, got none in {source.name}: it may be half-written; "
            "add one at its end if the last row is whole"
        )
    rows = _rows(source)
    header = next(rows, (0, []))[1]
    missing = [name for name in REQUIRED if name not in header]
    if missing or len(set(header)) < len(header):
        raise InputError(
            f"a legacy CSV must have the columns {', '.join(REQUIRED)}, each column once, got "
            f"{'no ' + ', '.join(missing) if missing else 'a repeated one'} in {source.name}; check its first line"
        )
    trials: Spilled[LegacyTrial] = Spilled()
    for line, row in rows:
        if len(row) != len(header):
            raise InputError(
                f"a CSV row must have {len(header)} cells like the header, got {len(row)} in {source.name} line "
                f"{line}; it is half-written or damaged, take the original"
            )
        if len(trials) == MAX_TRIALS:
            raise InputError(f"a legacy file must have at most {MAX_TRIALS:,} trials, got more in {source.name}")
        trials.append(_trial(dict(zip(header, row, strict=True)), line))
    report.lines = len(trials) + 1
    return trials


def _rows(source: SourceFile) -> Iterator[tuple[int, list[str]]]:
    """Rows with the line on which each begins."""
    reader = csv.reader(_bounded_lines(source), strict=True)
    line = 1
    try:
        for row in reader:
            if row:
                yield line, row
            line = reader.line_num + 1
    except csv.Error as error:
        raise InputError(
            f"a legacy CSV must be well-formed, got {error} in {source.name} line {line}; it is half-written or "
            "damaged, take the original"
        ) from error


def _bounded_lines(source: SourceFile) -> Iterator[str]:
    for number, line in enumerate(source.lines(MEBIBYTE + 1), 1):
        if len(line) > MEBIBYTE:
            raise InputError(f"a CSV line must have at most 1 MiB, got more in {source.name} line {number}")
        yield line


def _trial(row: dict[str, str], line: int) -> LegacyTrial:
    hyperparameters, unreadable = _hyperparameters(row.get(HYPERPARAMETERS, ""))
    stated = {name: value for name, value in row.items() if name != HYPERPARAMETERS}
    fields = Fields(hyperparameters, stated)
    fields.flags.extend(unreadable)
    run_type = fields.text("run_type")
    return build_trial(
        fields,
        form="csv",
        where=f"line {line}",
        content=canonical({**stated, HYPERPARAMETERS: hyperparameters or row.get(HYPERPARAMETERS)}),
        study=fields.text("experiment"),
        look_up=run_type in (None, "hpo"),
        dry_run=any("dry" in text.lower() for text in (run_type, row.get("status")) if text is not None),
        results=stated,
        notes={name: printable(row.get(name, "")) for name in NOTES},
    )


def _hyperparameters(text: str) -> tuple[dict[str, Any], list[str]]:
    if not text.strip():
        return {}, []
    try:
        found = parse_json(text, "hyperparameters")
    except InputError:
        found = parse_flat_dict(text)
    if isinstance(found, dict):
        return found, []
    return {}, ["hyperparameters must be a JSON object, got another text; left out"]
