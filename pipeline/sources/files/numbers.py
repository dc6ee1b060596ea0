"""Numbers of a file: one decimal sign for all of its columns, thousands apart, signs of a currency, units of volume."""

from __future__ import annotations

import io
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.sources.files.faults import Faults, places, quoted

MISSING = {"", "-", "--", "—", "n/a", "na", "#n/a", "nan", "null", "none", "nil", "<na>", "n.a.", "."}
CODES = (
    *("USD", "EUR", "GBP", "CHF", "JPY", "CAD", "AUD", "NZD", "HKD", "SGD", "CNY", "INR", "KRW", "TWD", "SEK", "NOK"),
    *("DKK", "PLN", "CZK", "HUF", "ZAR", "BRL", "MXN", "US$", "A$", "C$", "HK$", "R$", "S$"),
)
UNITS = {"": "", "k": "e3", "m": "e6", "b": "e9", "t": "e12"}
VOLUME = "volume"
CELL = re.compile(
    r"(?P<sign>[+-]?)\s*(?P<before>[^\d\s.,+-]{0,3})\s*(?P<inner>[+-]?)(?P<body>[\d.,][\d.,'’\s]*(?:[eE][+-]?\d+)?)"
    r"\s*(?P<after>[^\d.,'’]{0,3})"
)
GROUPS = r"[1-9]\d{{0,2}}(?P<g{n}>[{groups}])\d{{3}}(?:(?P=g{n})\d{{3}})*"
EXPONENT = r"(?:[eE][+-]?\d+)?"


@dataclass(frozen=True, kw_only=True, slots=True)
class Sign:
    """A decimal sign.

    Parameters
    ----------
    name : str
        As a user types it.
    decimal, other : str
        The sign, and the one that can part thousands beside it.
    pattern : str
        Of a number without signs.
    """

    name: str
    decimal: str
    other: str
    pattern: str


def _sign(name: str, decimal: str, other: str) -> Sign:
    grouped = GROUPS.format(n=1, groups=rf"{other}'’\s")
    lakhs = rf"[1-9]\d?(?:{re.escape(other)}\d{{2}})+{re.escape(other)}\d{{3}}"
    fraction = rf"(?:{re.escape(decimal)}\d*)?"
    pattern = rf"(?:(?:{grouped}|{lakhs}|\d+){fraction}|{re.escape(decimal)}\d+){EXPONENT}"
    return Sign(name=name, decimal=decimal, other=other, pattern=pattern)


SIGNS = {sign.name: sign for sign in (_sign("point", ".", ","), _sign("comma", ",", "."))}

Array = npt.NDArray[np.float64]


def read_numbers(
    columns: Mapping[str, pd.Series], lines: Sequence[int], *, decimal: str, faults: Faults, source: str
) -> tuple[dict[str, Array], tuple[str, ...]]:
    """Read the columns of numbers.

    Parameters
    ----------
    columns : mapping
        Role to cells: text, or values where the file has types.
    lines : sequence of int
        Number of each row in the file, for the messages.
    decimal : str
        ``point`` or ``comma`` where the user says it, else empty.
    faults : Faults
        Where to say what can't be read.
    source : str
        As it is typed, for the remedy.

    Returns
    -------
    dict, tuple of str
        Values, NaN where there is none; and what was taken.
    """
    typed = {
        role: cells.to_numpy(dtype=np.float64, na_value=np.nan) for role, cells in columns.items() if _typed(cells)
    }
    texts = {role: _texts(cells) for role, cells in columns.items() if role not in typed}
    if not texts:
        return _finite(typed, lines, faults), ("numbers of the file's own type",)
    parts = {role: _split(role, cells, lines, faults) for role, cells in texts.items()}
    sign = _choose_sign(parts, texts, lines, decimal, faults, source)
    if sign is None:
        return {role: np.full(len(cells), np.nan) for role, cells in columns.items()}, ()
    plain = pd.DataFrame({role: _plain(each, sign) for role, each in parts.items()})
    read = pd.read_csv(io.StringIO(plain.to_csv(index=False))).astype(np.float64)
    values = _finite({**typed, **{role: read[role].to_numpy() for role in texts}}, lines, faults)
    return {role: values[role] for role in columns}, _said(parts, sign)


def _typed(cells: pd.Series) -> bool:
    return cells.dtype.kind in "iuf"


def _texts(cells: pd.Series) -> pd.Series:
    """Cells as text, empty where there is none."""
    text = cells.map(lambda cell: "" if pd.isna(cell) else str(cell).strip()).astype(str)
    return text.where(~text.str.lower().isin(MISSING), "")


def _split(role: str, cells: pd.Series, lines: Sequence[int], faults: Faults) -> pd.DataFrame:
    """Cut cells into sign, number, currency and unit; what can't be cut is a fault, and empty."""
    parts = cells.str.extract(f"^{CELL.pattern}$").fillna("")
    after = parts["after"].str.strip()
    units = after.str.lower().where(after.str.lower().isin(UNITS) & (role == VOLUME), "")
    currency = (parts["before"] + after.where(units == "", "")).str.upper()
    known = currency.map(_is_currency) & ((parts["sign"] == "") | (parts["inner"] == ""))
    wrong = (cells != "") & ((parts["body"] == "") | ~known)
    if wrong.any():
        _not_numbers(role, cells[wrong], lines, faults)
    return pd.DataFrame(
        {
            "sign": parts["sign"] + parts["inner"],
            "body": parts["body"].str.strip().where(~wrong, ""),
            "currency": currency.where(~wrong, ""),
            "unit": units,
        }
    )


def _is_currency(text: str) -> bool:
    return not text or text in CODES or (len(text) == 1 and unicodedata.category(text) == "Sc")


def _not_numbers(role: str, cells: pd.Series, lines: Sequence[int], faults: Faults) -> None:
    shown = [f"{lines[at]} {quoted(cell)}" for at, cell in cells.items()]
    faults.add(f"{role} must be a number, got line {places(shown)}")


def _choose_sign(
    parts: Mapping[str, pd.DataFrame],
    texts: Mapping[str, pd.Series],
    lines: Sequence[int],
    decimal: str,
    faults: Faults,
    source: str,
) -> Sign | None:
    """Find the one decimal sign with which every number can be read, or say why there is none."""
    signs = [SIGNS[decimal]] if decimal else list(SIGNS.values())
    bodies = pd.concat({role: each["body"] for role, each in parts.items()})
    bodies = bodies[bodies != ""]
    fits = {sign.name: bodies.str.fullmatch(sign.pattern) for sign in signs}
    whole = [sign for sign in signs if fits[sign.name].all()]
    signed = bodies.str.contains(r"[.,]", regex=True)
    if len(whole) > 1 and signed.any():
        role, at = bodies.index[signed][0]
        point, comma = (_value(bodies[role, at], sign) for sign in whole)
        faults.add(
            f"its numbers must have one reading, got {role} {quoted(texts[role][at])} in line {lines[at]}, which is "
            f"{point} with a decimal point or {comma} with a decimal comma; add &decimal=point or &decimal=comma to "
            f"{source}"
        )
        return None
    _one_currency(parts, faults)
    if whole:
        return whole[0]
    best = max(signs, key=lambda sign: int(fits[sign.name].sum()))
    _other_forms(bodies[~fits[best.name]], best, texts, lines, faults)
    return None


def _other_forms(
    bodies: pd.Series, sign: Sign, texts: Mapping[str, pd.Series], lines: Sequence[int], faults: Faults
) -> None:
    """Say which numbers are not written as the others are."""
    for role in dict.fromkeys(role for role, _ in bodies.index):
        shown = [f"{lines[at]} {quoted(texts[role][at])}" for at in bodies[role].index]
        faults.add(f"{role} must be a number with a decimal {sign.name} as the others are, got line {places(shown)}")


def _one_currency(parts: Mapping[str, pd.DataFrame], faults: Faults) -> None:
    found = sorted({currency for each in parts.values() for currency in each["currency"].unique() if currency})
    if len(found) > 1:
        faults.add(f"its prices must be in one currency, got {', '.join(found)}")


def _value(body: str, sign: Sign) -> str:
    return re.sub(rf"[{sign.other}'’\s]", "", body).replace(sign.decimal, ".")


def _plain(parts: pd.DataFrame, sign: Sign) -> pd.Series:
    """Numbers as Python writes them; a unit becomes an exponent."""
    bare = parts["body"].str.replace(rf"[{sign.other}'’\s]", "", regex=True)
    plain = parts["sign"].str.replace("+", "", regex=False) + bare.str.replace(sign.decimal, ".", regex=False)
    return (plain + parts["unit"].map(UNITS)).where(bare != "", "nan")


def _finite(values: dict[str, Array], lines: Sequence[int], faults: Faults) -> dict[str, Array]:
    for role, each in values.items():
        endless = np.flatnonzero(np.isinf(each))
        if len(endless):
            faults.add(f"{role} must be finite, got more in line {places([str(lines[at]) for at in endless.tolist()])}")
    return values


def _said(parts: Mapping[str, pd.DataFrame], sign: Sign) -> tuple[str, ...]:
    """Say what was taken."""
    bodies = pd.concat([each["body"] for each in parts.values()])
    said = []
    if bodies.str.contains(sign.decimal, regex=False).any():
        said.append(f"decimal {sign.name}")
    groups = {",": "commas", ".": "points", "'": "apostrophes", "’": "apostrophes"}
    named = [groups[mark] for mark in (sign.other, "'", "’") if bodies.str.contains(mark, regex=False).any()]
    named += ["blanks"] if bodies.str.contains(r"\s", regex=True).any() else []
    said += [f"thousands apart by {' and '.join(dict.fromkeys(named))}"] if named else []
    currencies = sorted({each for part in parts.values() for each in part["currency"].unique() if each})
    said += [f"prices in {currencies[0]}"] if currencies else []
    units = sorted({each.upper() for part in parts.values() for each in part["unit"].unique() if each})
    return (*said, *([f"volumes with {', '.join(units)}"] if units else []))
