"""Tables of other tools as trials: rows of W&B, Ray Tune and Optuna, or of anybody with a map of columns."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from pipeline.exceptions import InputError
from search.legacy.parse.source import MAX_TRIALS, MEBIBYTE, SourceFile
from search.legacy.parse.spilled import Spilled
from search.legacy.parse.stream import head
from search.legacy.parse.strict_json import NotAListError, list_entries, parse_json
from search.legacy.parse.table_columns import Columns, Row, flatten
from search.legacy.recover.column_map import ColumnMap
from search.legacy.recover.fields import printable
from search.legacy.recover.foreign import ForeignTrial, build_foreign
from search.legacy.recover.report import FileReport
from search.legacy.recover.trial import LegacyTrial

MAX_ROWS = 2_000_000
MAX_LINE, MAX_DOCUMENT = 16 * MEBIBYTE, 64 * MEBIBYTE


def parse_table(
    source: SourceFile, report: FileReport, columns: ColumnMap, objective: str = ""
) -> Sequence[LegacyTrial]:
    """Read a table, a row a trial or a step of one.

    Raises
    ------
    InputError
        If it is damaged, or says nothing that is known or mapped.
    """
    rows = read_rows(source)
    report.lines = len(rows)
    columns.require_found(names_of(rows), source.name)
    trials = read_trials(rows, source, report, columns, objective)
    return Spilled(build_foreign(trial, columns) for trial in trials)


def read_trials(
    rows: Sequence[Row], source: SourceFile, report: FileReport, columns: ColumnMap, objective: str
) -> Sequence[ForeignTrial]:
    """Find in rows the trials that they are of.

    Raises
    ------
    InputError
        If no column is known or mapped.
    """
    names = names_of(rows)
    roles = Columns.of(names, columns)
    if not rows or not (roles.params or roles.metrics or roles.values):
        raise InputError(
            f"a table must have a column that is known or mapped, got {', '.join(map(printable, names[:12]))} "
            f"in {source.name}; map one, as in --map value=COLUMN"
        )
    groups = roles.groups(rows)
    if len(groups) > MAX_TRIALS:
        raise InputError(f"a table must have at most {MAX_TRIALS:,} trials, got more in {source.name}")
    trials: Spilled[ForeignTrial] = Spilled()
    homeless: Counter[str] = Counter()
    for group in groups:
        trials.append(roles.trial(group, objective=objective))
        homeless.update({name for row in group for name, value in row.values.items() if not is_empty(value)})
    for name in roles.homeless:
        report.homeless[printable(name)] += homeless[name]
    for name in [name for name, count in report.homeless.items() if not count]:
        del report.homeless[name]
    return trials


def names_of(rows: Sequence[Row]) -> list[str]:
    """Names of all columns that say something, in their order."""
    return list(dict.fromkeys(name for row in rows for name in row.values))


def read_rows(source: SourceFile) -> Sequence[Row]:
    """Read the rows of a CSV, a JSON list, or a file of a JSON object a line.

    Raises
    ------
    InputError
        If one is damaged.
    """
    found = _csv_rows(source) if source.suffix in (".csv", ".tsv", ".txt") else _json_rows(source)
    rows = Spilled(islice(found, MAX_ROWS + 1))
    if len(rows) > MAX_ROWS:
        raise InputError(f"a table must have at most {MAX_ROWS:,} rows, got more in {source.name}; split it")
    return rows


def is_json_lines(text: str) -> bool:
    r"""Whether a text is a JSON object a line, two or more of them.

    Examples
    --------
    >>> is_json_lines('{"a": 1}\n{"a": 2}\n'), is_json_lines('[{"a": 1}]'), is_json_lines('{"a":\n{}}')
    (True, False, False)
    """
    lines = [line for line in text[:MEBIBYTE].splitlines() if line.strip()][:2]
    return len(lines) == 2 and all(_is_object(line) for line in lines)


def delimiter_of(header: str) -> str:
    """Mark that parts the cells of a header: the one that stands in it most often.

    Examples
    --------
    >>> [delimiter_of(header) for header in ("a,b;c,d", "a;b;c", "a")]
    [',', ';', ',']
    """
    return max((",", ";", "\t"), key=header.count)


def is_empty(value: object) -> bool:
    """Whether a cell says nothing."""
    return value is None or (isinstance(value, str) and value.strip() in ("", "-"))


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _csv_rows(source: SourceFile) -> Iterator[Row]:
    mark = delimiter_of(next(_lines(source), ""))
    reader = csv.reader(_lines(source), delimiter=mark, skipinitialspace=mark != "\t")
    try:
        header = [name.strip() or f"unnamed column {at}" for at, name in enumerate(next(reader, []), 1)]
        if len(set(header)) < len(header):
            raise InputError(
                f"a table must have each column once, got a repeated one in {source.name}; rename one in its first line"
            )
        for cells in reader:
            if not cells or not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(header):
                raise InputError(
                    f"a row must have {len(header)} cells like the header, got {len(cells)} in {source.name} line "
                    f"{reader.line_num}; it is half-written or damaged, take the original"
                )
            said = {name: cell.strip() for name, cell in zip(header, cells, strict=True)}
            yield Row(f"line {reader.line_num}", {name: cell for name, cell in said.items() if not is_empty(cell)})
    except csv.Error as error:
        raise InputError(
            f"a table must be well-formed, got {error} in {source.name} line {reader.line_num}; it is half-written or "
            "damaged, take the original"
        ) from error


def _json_rows(source: SourceFile) -> Iterator[Row]:
    if _is_an_object_a_line(source):
        yield from _json_line_rows(source)
        return
    number = 0
    try:
        for number, entry in enumerate(list_entries(source.texts(), MAX_LINE), 1):
            yield Row(f"entry {number}", flatten(entry))
    except NotAListError:
        yield from _document_rows(source, after=number)


def _is_an_object_a_line(source: SourceFile) -> bool:
    if not head(source.path).lstrip().startswith("{"):
        return False
    lines = (line for line in source.lines(MAX_LINE + 1) if line.strip())
    first = list(islice(lines, 2))
    return len(first) == 2 and all(map(_is_object, first))


def _document_rows(source: SourceFile, after: int) -> Iterator[Row]:
    """Rows of JSON that is not a list of short objects, which is held whole."""
    if source.size > MAX_DOCUMENT:
        raise InputError(
            f"JSON of more than {MAX_DOCUMENT // MEBIBYTE} MiB must be a well-formed list of objects or an object a "
            f"line, got another form in {source.name} after entry {after}; write an object a line"
        )
    document = parse_json(source.text, source.name)
    found = document if isinstance(document, list) else [document]
    for number, entry in islice(enumerate(found, 1), after, None):
        yield Row(f"entry {number}", flatten(_object(entry, source, number)))


def _json_line_rows(source: SourceFile) -> Iterator[Row]:
    """Rows of a JSON object a line; a last one that is being written is left out."""
    waiting: tuple[int, str] | None = None
    line = ""
    for number, line in enumerate(_lines(source), 1):
        if not line.strip():
            continue
        if waiting is not None:
            yield _json_line_row(source, *waiting)
        waiting = number, line.rstrip("\r\n")
    if waiting is not None and (line.endswith("\n") or _is_object(waiting[1])):
        yield _json_line_row(source, *waiting)


def _json_line_row(source: SourceFile, number: int, line: str) -> Row:
    return Row(f"line {number}", flatten(_object(parse_json(line, f"{source.name} line {number}"), source, number)))


def _lines(source: SourceFile) -> Iterator[str]:
    for number, line in enumerate(source.lines(MAX_LINE + 1), 1):
        if len(line) > MAX_LINE:
            raise InputError(f"a table's line must have at most 16 MiB, got more in {source.name} line {number}")
        yield line


def _object(entry: object, source: SourceFile, number: int) -> Mapping[str, Any]:
    if isinstance(entry, dict):
        return entry
    raise InputError(f"a row must be a JSON object, got {type(entry).__name__} in {source.name} row {number}")
