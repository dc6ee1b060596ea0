"""The dictionary that Optuna prints in a log line, read without evaluating anything."""

from __future__ import annotations

import re

from search.legacy.recover.fields import NUMBER, read_number

_SPACE = r"[ \t]*"
_TEXT = r"'[^'\\{}]{0,200}'|\"[^\"\\{}]{0,200}\""
_ENTRY = re.compile(
    rf"{_SPACE}(?P<key>{_TEXT}){_SPACE}:{_SPACE}(?P<value>{_TEXT}|{NUMBER}|None|True|False){_SPACE}(?P<end>,|\Z)",
    re.IGNORECASE,
)
WORDS: dict[str, bool | None] = {"None": None, "True": True, "False": False}


def parse_flat_dict(text: str) -> dict[str, str | float | int | bool | None] | None:
    """Parse ``{'a': 1, 'b': 1e-05, 'c': inf, 'd': 'x'}``; None for anything else.

    Nesting, repeated keys, escapes and expressions are anything else.

    Examples
    --------
    >>> parse_flat_dict("{'arch_idx': 57, 'learning_rate': 1e-05, 'dropout': nan}")
    {'arch_idx': 57, 'learning_rate': 1e-05, 'dropout': nan}
    >>> parse_flat_dict("{'x': __import__('os')}") is None
    True
    """
    if not (text.startswith("{") and text.endswith("}")):
        return None
    body, position = text[1:-1].rstrip(), 0
    found: dict[str, str | float | int | bool | None] = {}
    while position < len(body):
        entry = _ENTRY.match(body, position)
        if entry is None or entry["key"][1:-1] in found:
            return None
        found[entry["key"][1:-1]] = _value(entry["value"])
        position = entry.end()
        if entry["end"] == "," and position == len(body):
            return None
    return found


def _value(text: str) -> str | float | int | bool | None:
    if text in WORDS:
        return WORDS[text]
    if text[0] in "'\"":
        return text[1:-1]
    if re.fullmatch(r"[+-]?[0-9]{1,15}", text):
        return int(text)
    number = read_number(text)
    return text if number is None else number
