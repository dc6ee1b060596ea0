"""Every file and pipe of text names its encoding: what a command writes is the same in any locale."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted(path for package in ("pipeline", "model", "search") for path in (ROOT / package).rglob("*.py"))
TEXT = {"read_text": 0, "write_text": 1, "open": None, "fdopen": None}
"""Calls that read or write text, with the position of their encoding."""
PROCESSES = ("run", "Popen", "check_output")


def unnamed(tree):
    """Lines of calls that leave the encoding to the locale."""
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        name = getattr(call.func, "attr", getattr(call.func, "id", ""))
        given = {each.arg: each.value for each in call.keywords}
        modes = [each.value for each in call.args if isinstance(each, ast.Constant) and isinstance(each.value, str)]
        binary = any("b" in mode for mode in modes[:2] if set(mode) <= set("rwxabt+"))
        if name in PROCESSES and any(word in given for word in ("text", "universal_newlines")):
            yield call.lineno
        if name not in TEXT or "encoding" in given:
            continue
        if name in ("open", "fdopen"):
            module = getattr(getattr(call.func, "value", None), "id", "")
            if not binary and (name == "fdopen" or module in ("", "path", "file", "log_path") or modes):
                yield call.lineno
        elif len(call.args) <= TEXT[name]:
            yield call.lineno


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("Path(p).read_text()", 1),
        ("Path(p).read_text('utf-8')", 0),
        ("path.write_text(t)", 1),
        ("path.write_text(t, encoding='utf-8')", 0),
        ("open(p)", 1),
        ("open(p, 'rb')", 0),
        ("os.fdopen(1, 'w')", 1),
        ("os.open(p, os.O_RDWR)", 0),
        ("gzip.open(p, 'rt')", 1),
        ("subprocess.run(c, text=True)", 1),
        ("subprocess.Popen(c, encoding='utf-8')", 0),
    ],
)
def test_a_call_without_an_encoding_is_seen(source, found):
    assert len(list(unnamed(ast.parse(source)))) == found


def test_every_text_names_its_encoding():
    found = {str(path.relative_to(ROOT)): list(unnamed(ast.parse(path.read_text("utf-8")))) for path in FILES}
    assert {path: lines for path, lines in found.items() if lines} == {}
