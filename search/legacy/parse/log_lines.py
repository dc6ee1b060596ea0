"""Lines of a legacy log, each on its own: which of the known kinds it is, and what it says."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any

from search.legacy.parse.flat_dict import parse_flat_dict
from search.legacy.recover.fields import NUMBER, printable

MAX_LINE = 10_000
WORDS = re.compile(
    "Trial|Forced dropout|A new study created|Using an existing study|Study name was omitted"
    "|Starting: |PASSED: |FAILED: "
)
FAIL = "FAIL"
STATES = {"pruned": "PRUNED", "failed with settings": FAIL, "failed": FAIL}
IN_MEMORY = "memory"
_COUNT = r"[0-9]{1,9}"
_PREFIX = re.compile(
    r"\[[A-Z] (?P<stamp>[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}(?:,[0-9]{3})?)\] ?(?P<rest>.*)"
)
_COLOUR = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\^_])")
_BAR = re.compile(r"^.*[0-9]%\|.*\[[^\[\]]*\](?=\S)")
_TRIAL_NUMBER = rf"Trial (?P<number>{_COUNT})"
_KINDS = {
    "start": rf"{_TRIAL_NUMBER}: arch_idx=(?P<arch_idx>-?{_COUNT}|None), d_model=(?P<d_model>{_COUNT}), "
    rf"n_layers=(?P<n_layers>{_COUNT})(?:, n_heads=(?P<n_heads>{_COUNT}))?, "
    rf"params=(?P<param_count>[0-9][0-9,]{{0,20}}), "
    rf"lr=(?P<learning_rate>{NUMBER}), epochs=(?P<epochs>{_COUNT}), "
    rf"(?:batch_size=(?P<batch_size>{_COUNT})|batch=(?P<batch>{_COUNT}x{_COUNT}), dropout=(?P<dropout>{NUMBER}))",
    "finish": rf"{_TRIAL_NUMBER} finished with value: (?:(?P<value>{NUMBER})|\{{'(?P<objective>[^'\\{{}}]{{1,60}})': "
    rf"(?P<named>{NUMBER})\}}) and parameters: (?P<params>\{{[^{{}}]*\}})\."
    rf"(?: Best is trial (?P<best_number>{_COUNT}) with value: (?P<best>{NUMBER})\.)?",
    "finish of several": rf"{_TRIAL_NUMBER} finished with values: (?P<values>\[[^\[\]]*\]|\{{[^{{}}]*\}}) "
    r"and parameters: (?P<params>\{[^{}]*\})\.\s*",
    "pruned": rf"{_TRIAL_NUMBER} pruned\..*",
    "failed with settings": rf"{_TRIAL_NUMBER} failed with parameters: (?P<params>\{{[^{{}}]*\}}) "
    r"because of the following error: (?P<reason>.*?)\.?",
    "failed": rf"{_TRIAL_NUMBER} failed (?P<reason>(?:with|because) .*)",
    "forced": rf"(?:→|->) Forced dropout=(?P<dropout>{NUMBER}) for diversity "
    rf"\(was (?P<was>{NUMBER}), prev=(?:{NUMBER}|None)\)",
    "study": r"A new study created in (?P<held>\S{1,40}) with name: (?P<name>\S.*)",
    "joined": r"Using an existing study with "
    r"(?:name '(?P<name>[^']+)'|`study_name=(?P<quote>['\"])(?P<title>.+)(?P=quote)`) instead of creating a new one\.",
    "loaded": r"Study name was omitted but trying to load "
    r"`study_name=(?P<quote>['\"])(?P<title>.+)(?P=quote)` because .*",
    "script": r"(?:\[[0-9]+/[0-9]+\] )?Starting: (?P<name>[\w./-]+)\.(?:py|sh)",
    "script end": r"(?:\[[0-9]+/[0-9]+\] )?(?:[A-Z]{2,20}): (?P<name>[\w./-]+)\.(?:py|sh)\b.*",
}
_TRIAL = re.compile(rf"\bTrial {_COUNT}\b|\bTrial$")


@dataclass(frozen=True, kw_only=True, slots=True)
class LogLine:
    """A line that says something.

    Parameters
    ----------
    kind : str
        ``start``, ``finish``, ``end`` (pruned or failed), ``forced``, ``study``, ``script``, ``script end``, or
        ``broken``: about a trial, but truncated or malformed.
    line : int
        Counted from 1.
    text : str
        The whole line, stripped.
    stamp : str
        Its time, as printed: of an unknown zone.
    form : str
        Of a start line: ``A``, ``B``, ``C``; of a line that says that a study was made: where, as in ``memory``.
    number : int
        Of the trial; -1 where none is named.
    says : dict
        Field texts, or parsed parameters of a finish line.
    params : dict
        Of a finish line.
    """

    kind: str
    line: int
    text: str
    stamp: str = ""
    form: str = ""
    number: int = -1
    says: dict[str, str] = field(default_factory=dict)
    params: dict[str, Any] = field(default_factory=dict)


def read_line(text: str, line: int) -> LogLine | None:
    """Read a line; None if it has nothing to do with trials.

    Examples
    --------
    >>> start = read_line(
    ...     "Trial 7: arch_idx=57, d_model=64, n_layers=48, params=2,414,273, lr=0.000100, epochs=50, batch_size=32", 1)
    >>> start.kind, start.form, start.says["param_count"]
    ('start', 'A', '2414273')
    """
    if WORDS.search(text) is None:
        return None
    text = _COLOUR.sub("", text).strip()
    prefix = _PREFIX.search(text)
    before = text[: prefix.start()] if prefix else ""
    if _TRIAL.search(before):
        return LogLine(kind="broken", line=line, text=text)
    text = text.removeprefix(before) if prefix else _BAR.sub("", text)
    rest, stamp = (prefix["rest"].strip(), prefix["stamp"]) if prefix else (text, "")
    for kind, pattern in _KINDS.items():
        found = re.fullmatch(pattern, rest)
        if found is None:
            continue
        says = {name: value for name, value in found.groupdict().items() if value is not None}
        number = int(says.pop("number", -1))
        return _typed(kind, LogLine(kind=kind, line=line, text=text, stamp=stamp, number=number, says=says))
    return LogLine(kind="broken", line=line, text=text) if _TRIAL.search(rest) else None


def _typed(kind: str, found: LogLine) -> LogLine:
    says = dict(found.says)
    if kind == "start":
        says["param_count"] = says["param_count"].replace(",", "")
        if says["arch_idx"] == "None":
            del says["arch_idx"]
        form = ("C" if "batch" in says else "B") if "n_heads" in says else "A"
        broken = form == "A" and "batch" in says
        return replace(found, kind="broken" if broken else "start", says=says, form=form)
    if kind in ("finish", "finish of several"):
        return _finish(found, says)
    if kind in STATES:
        params = (parse_flat_dict(says["params"]) if "params" in says else None) or {}
        reason = {"error_message": printable(says["reason"])} if "reason" in says else {}
        return replace(found, kind="end", says={"state": STATES[kind], **reason}, params=params)
    if kind in ("study", "joined", "loaded"):
        name = printable(says.get("name") or says["title"])
        return replace(found, kind="study", says={"name": name}, form=says.get("held", ""))
    return found


def _finish(found: LogLine, says: dict[str, str]) -> LogLine:
    params = parse_flat_dict(says.pop("params"))
    if params is None:
        return replace(found, kind="broken")
    if "values" in says:
        texts = re.findall(rf"(?:(?<=: )|(?<=\[)|(?<=, )){NUMBER}(?=[,\]}}])", says["values"], re.IGNORECASE)
        says = {"state": "COMPLETE", **{f"objective_{n}": text for n, text in enumerate(texts)}}
    if "named" in says:
        says["value"] = says.pop("named")
    return replace(found, kind="finish", says=says, params=params)
