"""Columns of a file: which one is the date, which the close, and whose they are."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from pipeline.bars import PRICES
from pipeline.exceptions import DataError

NEEDED = ("date", *PRICES, "volume")
TICKER = "ticker"
NAMES = {
    "date": ("date", "datetime", "timestamp", "day", "date time", "trade date", "trading date", "trading day", "dt"),
    "open": ("open", "open price", "opening price", "opening", "o"),
    "high": ("high", "high price", "highest", "day high", "h"),
    "low": ("low", "low price", "lowest", "day low", "l"),
    "close": ("close", "close last", "closing price", "close price", "closing", "c"),
    "adj_close": ("adj close", "adjusted close", "adjclose", "close adj", "close adjusted", "adjusted closing price"),
    "volume": ("volume", "vol", "total volume", "trade volume", "traded volume", "shares traded", "v"),
    TICKER: (TICKER, "tickers", "symbol", "symbols"),
}
SECOND_NAMES = {"date": ("time", "index"), "close": ("price", "last", "last price"), TICKER: ("name", "code")}
"""Of a column where no other has one of its first names."""
ROLES = {name: role for role, names in NAMES.items() for name in names}
SECOND_ROLES = {name: role for role, names in SECOND_NAMES.items() for name in names}
CORNERS = {"price", "date", "datetime", "index", *NAMES[TICKER]}
"""What stands above the dates where the header has several rows."""
SHOWN_TICKERS = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Columns:
    """Places of the columns of one ticker.

    Parameters
    ----------
    places : dict
        Role to number of the column; ``adj_close`` where there is one.
    ticker : str
        Whose they are, as the header says; empty where it doesn't.
    """

    places: dict[str, int] = field(default_factory=dict)
    ticker: str = ""


def plain(name: str) -> str:
    """Reduce a column's name to its words.

    Examples
    --------
    >>> [plain(name) for name in ("<CLOSE>", "5. adjusted close", "Close/Last", "Adj_Close**", " Vol. ", "Open (USD)")]
    ['close', 'adjusted close', 'close last', 'adj close', 'vol', 'open']
    """
    text = re.sub(r"^\s*\d+\.\s+|\([^)]*\)|\[[^\]]*\]", "", name)
    text = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text) if not text.isupper() else text
    return " ".join(re.sub(r"[^\w%]|_", " ", text.casefold()).split())


def find_role(name: str) -> str:
    """Role of a column's name; empty if it has none.

    Examples
    --------
    >>> [find_role(name) for name in ("Date", "1. open", "Price", "Change %", "AdjClose")]
    ['date', 'open', 'close', '', 'adj_close']
    """
    text = plain(name)
    return ROLES.get(text) or ROLES.get(text.replace(" ", "")) or SECOND_ROLES.get(text, "")


def corner(cell: str) -> bool:
    """Whether a cell can stand in the corner of a header of several rows."""
    return not cell.strip() or plain(cell) in CORNERS


def tickers_corner(cell: str) -> bool:
    """Whether a cell says that the row of the header holds tickers."""
    return plain(cell) in NAMES[TICKER]


def find_columns(labels: Sequence[tuple[str, ...]]) -> tuple[dict[str, Columns], int | None]:
    """Find the columns of each ticker, and the column that names the ticker of each row.

    Parameters
    ----------
    labels : sequence of tuple of str
        What the header says above each column, row by row.

    Returns
    -------
    dict, int or None
        Columns by ticker, under an empty name where the header names none; place of the column of tickers.

    Raises
    ------
    DataError
        If a column is missing or there twice; the message names the columns found.
    """
    if not labels:
        raise DataError(f"must have the columns {', '.join(NEEDED)}, got none")
    row = max(range(len(labels[0])), key=lambda each: len({find_role(column[each]) for column in labels}))
    dates = _dates_place(labels, row)
    places: dict[str, dict[str, list[int]]] = {}
    for at, column in enumerate(labels):
        role = find_role(column[row])
        if role and role != "date" and at != dates:
            ticker = " ".join(label for n, label in enumerate(column) if label and n != row)
            places.setdefault(ticker, {}).setdefault(role, []).append(at)
    whose = [at for roles in places.values() for at in roles.pop(TICKER, [])]
    found = {ticker: _columns(labels, row, dates, roles, ticker) for ticker, roles in places.items() if roles}
    first = [at for at in whose if ROLES.get(plain(labels[at][row])) == TICKER]
    return found or {"": _columns(labels, row, dates, {}, "")}, next(iter(first or whose), None)


def _columns(
    labels: Sequence[tuple[str, ...]], row: int, dates: int | None, roles: dict[str, list[int]], ticker: str
) -> Columns:
    """Columns of one ticker, each there once."""
    places = {} if dates is None else {"date": dates}
    for role, at in roles.items():
        first = [place for place in at if ROLES.get(plain(labels[place][row])) == role]
        chosen = first or at
        if len(chosen) > 1:
            raise DataError(f"must have one column of {role}, got {_shown(labels)}; leave out the others")
        places[role] = chosen[0]
    missing = [name for name in NEEDED if name not in places]
    if missing:
        raise DataError(
            f"must have the columns {', '.join(NEEDED)}, missing {', '.join(missing)}"
            f"{f' of {ticker}' if ticker else ''}, got {_shown(labels)}; name them so"
        )
    return Columns(places=places, ticker=ticker)


def _dates_place(labels: Sequence[tuple[str, ...]], row: int) -> int | None:
    """Place of the dates: a column of that name, else one of a second name, else the first if it has none."""
    for roles in (ROLES, SECOND_ROLES):
        for at, column in enumerate(labels):
            others = [label for n, label in enumerate(column) if n != row]
            if roles.get(plain(column[row])) == "date" or (
                at == 0 and any(roles.get(plain(e)) == "date" for e in others)
            ):
                return at
    return 0 if all(corner(label) or label.startswith("Unnamed") for label in labels[0]) else None


def _shown(labels: Sequence[tuple[str, ...]]) -> str:
    return ", ".join(" ".join(filter(None, column)) or "(unnamed)" for column in labels)


def choose_ticker(held: Sequence[str], ticker: str, asked: str) -> str:
    """Which of the tickers in a file is meant.

    Parameters
    ----------
    held : sequence of str
        Tickers that the file names.
    ticker : str
        The one that is wanted.
    asked : str
        The name that it has in the file, where the user says one.

    Raises
    ------
    DataError
        If the file does not hold it; the message lists those that it does.

    Examples
    --------
    >>> choose_ticker(["SPY", "QQQ"], "QQQ", ""), choose_ticker(["GSPC"], "^GSPC", "")
    ('QQQ', 'GSPC')
    >>> choose_ticker(["SPY.US"], "SPY", "")
    'SPY.US'
    """
    wanted = asked or ticker
    for same in (str, _spelling):
        found = [each for each in held if same(each) == same(wanted)]
        if len(found) == 1:
            return found[0]
    shown = ", ".join(held[:SHOWN_TICKERS]) + (
        f" and {len(held) - SHOWN_TICKERS} more" if len(held) > SHOWN_TICKERS else ""
    )
    raise DataError(
        f"holds {shown}, not {wanted}; ask for one of them by name, or add &ticker=NAME to the source if it is {ticker}"
    )


def _spelling(ticker: str) -> str:
    return ticker.strip().lstrip("^").upper().removesuffix(".US").replace(".", "-")
