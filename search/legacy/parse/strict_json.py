"""JSON from strangers: keys once, numbers of sane length, nesting bounded."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from pipeline.exceptions import InputError

MAX_DIGITS = 30
MAX_PART = 2**18
_SPACE = re.compile(r"[ \t\r\n]+")
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


class NotAListError(ValueError):
    """A text is no well-formed list of objects; :func:`parse_json` says what it is."""


def list_entries(texts: Iterable[str], longest: int) -> Iterator[dict[str, Any]]:
    r"""Parse a JSON list of objects that comes in parts, holding one object at a time.

    Parameters
    ----------
    texts : iterable of str
        Parts of the text, cut anywhere.
    longest : int
        Most letters of an object.

    Raises
    ------
    NotAListError
        Where it is anything else, after the objects before.

    Examples
    --------
    >>> list(list_entries(['[{"a"', ': 1}, ', '{}', ']'], 100))
    [{'a': 1}, {}]
    """
    parts, held, at, wanted = filter(None, texts), "", 0, "["
    while True:
        between = _SPACE.match(held, at)
        at = between.end() if between else at
        if at == len(held):
            held, at = next(parts, ""), 0
            if not held:
                break
            continue
        mark = held[at]
        if mark not in wanted:
            raise NotAListError
        if mark == "{":
            entry, held, at = _next_entry(held, at, parts, longest)
            yield entry
            wanted = ",]"
        else:
            at += 1
            wanted = {"[": "{]", ",": "{", "]": ""}[mark]
    if wanted:
        raise NotAListError


def _next_entry(held: str, at: int, parts: Iterator[str], longest: int) -> tuple[dict[str, Any], str, int]:
    """Object that begins at a place; the text that was read for it, and where it ends there."""
    while True:
        try:
            entry, end = _DECODER.raw_decode(held, at)
            return entry, held, end
        except json.JSONDecodeError:
            held, at = held[at:], 0
            more = "".join(islice(parts, 1 + len(held) // MAX_PART)) if len(held) <= longest else ""
            if not more:
                raise NotAListError from None
            held += more
        except (_RepeatedKey, RecursionError):
            raise NotAListError from None


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
    return int(text) if len(text.removeprefix("-")) <= MAX_DIGITS else text


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_int=_whole)
