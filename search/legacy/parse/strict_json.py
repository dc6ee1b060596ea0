"""JSON from strangers: keys once, numbers of sane length, nesting bounded."""

from __future__ import annotations

import json
import re
from typing import Any

from pipeline.exceptions import InputError

MAX_DIGITS = 30
_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\]\n]', re.DOTALL)


def parse_json(text: str, name: str) -> Any:
    """Parse JSON; ``NaN`` and ``Infinity`` are numbers, a number of absurd length stays text.

    Raises
    ------
    InputError
        If it is not JSON, ends too early, repeats a key in an object or nests too deeply.

    Examples
    --------
    >>> parse_json('{"value": NaN}', "x.json")
    {'value': nan}
    """
    try:
        return json.loads(text, object_pairs_hook=_object, parse_int=_whole)
    except json.JSONDecodeError as error:
        raise InputError(
            f"a JSON file must be whole and well-formed, got {error.msg} in {name} line {error.lineno}; it is "
            "half-written or damaged, take the original"
        ) from error
    except _RepeatedKey as error:
        raise InputError(f"a JSON object must have each key once, got one twice in {name}; remove one") from error
    except RecursionError:
        raise InputError(f"a JSON file must not nest deeply, got too many levels in {name}") from None


def entry_lines(text: str, *, wrapped: bool) -> list[int]:
    r"""Line on which each object of a list begins.

    Parameters
    ----------
    text : str
        Well-formed JSON: a list, or an object that holds one.
    wrapped : bool
        Whether the list is the one under ``trials`` of the outermost object.

    Examples
    --------
    >>> entry_lines('[\n {},\n {"a": "}{"}]', wrapped=False)
    [2, 3]
    >>> entry_lines('{"x": [{}],\n"trials":\n[{}]}', wrapped=True)
    [3]
    """
    lines, line, depth, last_text, name = [], 1, 0, '""', ""
    for token in _TOKEN.finditer(text):
        mark = token[0]
        if mark == "\n":
            line += 1
        elif mark[0] == '"':
            last_text = mark
        elif mark in "{[":
            depth += 1
            name = json.loads(last_text) if depth == 2 else name
            if mark == "{" and depth == (3 if wrapped else 2) and (not wrapped or name == "trials"):
                lines.append(line)
        else:
            depth -= 1
    return lines


class _RepeatedKey(Exception):
    """An object says two things under one name."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _RepeatedKey
    return found


def _whole(text: str) -> int | str:
    return int(text) if len(text) <= MAX_DIGITS else text
