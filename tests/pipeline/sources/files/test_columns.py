from __future__ import annotations

import pytest

from pipeline.exceptions import DataError
from pipeline.sources.files.columns import NEEDED, choose_ticker, find_columns


def places(*names):
    (columns,) = find_columns([(name,) for name in names])[0].values()
    return {role: names[at] for role, at in columns.places.items()}


@pytest.mark.parametrize(
    "names",
    [
        ("Date", "Open", "High", "Low", "Close", "Volume"),
        ("date", "open", "high", "low", "close", "volume"),
        ("DATE", "OPEN", "HIGH", "LOW", "CLOSE", "VOLUME"),
        ("<DATE>", "<OPEN>", "<HIGH>", "<LOW>", "<CLOSE>", "<VOL>"),
        ("timestamp", "1. open", "2. high", "3. low", "4. close", "5. volume"),
        ("Date", "Open", "High", "Low", "Price", "Vol."),
        ("Trade Date", "Open Price", "High Price", "Low Price", "Close Price", "Total Volume"),
        ("", "Open", "High", "Low", "Close/Last", "Volume"),
        ("Unnamed: 0", "Open", "High", "Low", "Close*", "Volume"),
        ("Datetime", "Open (USD)", "High (USD)", "Low (USD)", "Close (USD)", "Volume"),
        ("time", "o", "h", "l", "c", "v"),
    ],
)
def test_names_that_programs_give_their_columns(names):
    found = places(*names)
    assert [found[role] for role in NEEDED] == list(names)


@pytest.mark.parametrize(
    "name", ["Adj Close", "Adj. Close", "adj_close", "AdjClose", "adjusted_close", "5. adjusted close"]
)
def test_an_adjusted_close_is_known(name):
    assert places("Date", "Open", "High", "Low", "Close", "Volume", name)["adj_close"] == name


def test_a_second_name_counts_only_where_no_first_one_is():
    assert places("Date", "Time", "Open", "High", "Low", "Close", "Last", "Volume")["close"] == "Close"
    assert places("Time", "Date", "Open", "High", "Low", "Close", "Volume")["date"] == "Date"


def test_a_column_without_a_name_beside_a_date_is_no_date():
    assert places("", "Date", "Open", "High", "Low", "Close", "Volume")["date"] == "Date"


def test_tickers_that_are_spelt_as_columns_are_tickers():
    labels = [("Price", "Ticker", "Date")]
    labels += [
        (field, ticker, "") for ticker in ("C", "O", "LOW") for field in ("Open", "High", "Low", "Close", "Volume")
    ]
    for turned in (labels, [(b, a, c) for a, b, c in labels]):
        assert sorted(find_columns(turned)[0]) == ["C", "LOW", "O"]


@pytest.mark.parametrize("missing", NEEDED)
def test_a_missing_column_is_named_beside_those_found(missing):
    names = [name for name in NEEDED if name != missing]
    with pytest.raises(DataError, match=rf"missing {missing}, got .*{names[0]}, "):
        find_columns([("weather",), *((name,) for name in names)])


def test_a_column_that_is_there_twice_is_refused():
    with pytest.raises(DataError, match="must have one column of close"):
        places("Date", "Open", "High", "Low", "Close", "close", "Volume")


@pytest.mark.parametrize(
    ("wanted", "found"), [("SPY", "spy"), ("BRK-B", "BRK.B"), ("^GSPC", "GSPC"), ("SPY", "SPY.US")]
)
def test_a_ticker_may_be_spelt_otherwise(wanted, found):
    assert choose_ticker([found, "QQQ"], wanted, "") == found


def test_the_tickers_that_there_are_are_listed():
    with pytest.raises(DataError, match=r"holds SPY, QQQ, not DIA; ask for one of them by name"):
        choose_ticker(["SPY", "QQQ"], "DIA", "")
