from __future__ import annotations

from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from pipeline.bars import content_hash
from pipeline.calendars import sessions
from pipeline.exceptions import DataError
from pipeline.sources import open_source
from tests.pipeline.sources.files.conftest import FORMS

HEADER = "Date,Open,High,Low,Close,Volume\n"


def made(days: int, seed: int, start: str) -> pd.DataFrame:
    """Bars with two decimals above a thousand, and volumes of whole thousands."""
    first = pd.Timestamp(start)
    index = sessions("XNYS", first.date(), first.date().replace(year=first.year + 1))[:days].rename("date")
    random = np.random.default_rng(seed)
    close = np.round(1500 * np.exp(np.cumsum(random.normal(0, 0.01, len(index)))), 2)
    frame = {"open": close + 1, "high": close + 2.25, "low": close - 3, "close": close, "adj_close": close}
    bars = pd.DataFrame(frame, index=index).round(2)
    return bars.assign(volume=random.integers(1, 9999, len(index)) * 1000.0)


@pytest.mark.slow
@pytest.mark.lesson("L38")
@settings(max_examples=4, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(
    days=st.integers(25, 60),
    seed=st.integers(0, 99),
    start=st.dates(date(1995, 1, 1), date(2023, 6, 1)),
)
def test_the_same_bars_in_every_form_are_the_same_snapshot(days, seed, start):
    bars = made(days, seed, str(start))
    found = {}
    for name, write in FORMS.items():
        with TemporaryDirectory() as folder:
            write(bars, Path(folder))
            found[name] = content_hash(open_source(f"csv:{folder}?adjusted=no").fetch("SPY").bars)
    assert len(found) >= 12
    assert {name for name, digest in found.items() if digest != content_hash(bars)} == set()


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ("yahoo", "dates yyyy-mm-dd, decimal point, header of 1 row, separator comma"),
        ("german", "dates dd.mm.yyyy, decimal comma, header of 1 row, separator semicolon"),
        ("italian", "dates dd/mm/yyyy, decimal comma, thousands apart by points, header of 1 row, separator comma"),
        ("tabs", "dates yyyy-mm-dd, decimal point, header of 1 row, separator tab, encoding utf-16"),
        ("pipes", "header of 1 row, separator pipe, 1 line before the header left out, encoding cp1252"),
        ("yfinance", "header of 3 rows"),
        ("yfinance_by_ticker", "columns of SPY, one of 2 tickers"),
        ("long_form", "rows of SPY, one of 2 tickers"),
        ("nasdaq", "dates mm/dd/yyyy, decimal point, prices in $, header of 1 row, separator comma, newest row first"),
        ("investing", "dates Mon dd yyyy, decimal point, volumes with M,"),
        ("milliseconds", "dates as milliseconds since 1970"),
        ("utc", "dates yyyy-mm-dd with an offset from UTC"),
        ("parquet", "dates of the file's own type, numbers of the file's own type, Parquet file"),
    ],
)
def test_one_line_says_what_was_taken(tmp_path, form, said):
    FORMS[form](made(40, 1, "2015-01-02"), tmp_path)
    assert said in open_source(f"csv:{tmp_path}?adjusted=no").fetch("SPY").reading


def test_all_faults_are_in_one_message(read):
    rows = ["2015-01-13,1,3,1,2,5", "2015-01-14,abc,3,1,2,5", "2015-01-15,1,3,1", "2015-01-16,1,3,1,2,5 x"]
    text = HEADER + "\n".join([*rows, "2015-01-16,1,3,1,2,5", "soon,1,3,1,2,5"])
    with pytest.raises(DataError) as raised:
        read(text)
    said = str(raised.value)
    assert "\n" not in said and "5 faults" in said
    for fault in (
        "got 4 in line 4",
        "open must be a number, got line 3 'abc'",
        "volume must be a number, got line 5 '5 x'",
    ):
        assert fault in said
    assert "a date must be yyyy-mm-dd as the others are, got line 7 'soon'" in said
    assert "2015-01-16 (lines 5, 6)" in said


def test_empty_rows_of_days_that_are_no_session_are_left_out_and_counted(read):
    text = (
        HEADER + "2015-01-15,1,3,1,2,5\n2015-01-16,1,3,1,2,5\n2015-01-17,,,,,\n2015-01-19,,,,,0\n2015-01-20,1,3,1,2,5\n"
    )
    found = read(text)
    assert len(found.bars) == 3
    assert found.warnings == ("empty_rows: 2 empty rows on days that are no session left out, 2015-01-17, 2015-01-19",)
    with_session = read(text.replace("2015-01-16,1,3,1,2,5", "2015-01-16,,,,,"))
    assert with_session.bars["close"].isna().sum() == 1, "an empty session is a gap, which the checks refuse"


def test_an_adjusted_close_that_differs_by_rounding_is_the_close(tmp_path):
    close = 50.1
    other = float(np.nextafter(close, 60))
    text = f"Date,Open,High,Low,Close,Adj Close,Volume\n2015-01-15,50,51,49,{close!r},{other!r},5\n"
    (tmp_path / "SPY.csv").write_text(text, encoding="utf-8")
    bars = open_source(f"csv:{tmp_path}?adjusted=yes").fetch("SPY").bars
    assert bars["adj_close"].tolist() == bars["close"].tolist() == [close]


@pytest.mark.lesson("L14")
def test_local_midnights_in_utc_are_days_of_the_exchange(read):
    text = HEADER + "".join(f"2018-12-{day} 23:00:00+00:00,50,51,49,50,1000\n" for day in (16, 17, 18))
    assert [str(day.date()) for day in read(text, "SAN.MC").bars.index] == ["2018-12-17", "2018-12-18", "2018-12-19"]
    with pytest.raises(DataError, match="zone=Europe/Madrid"):
        read(text, "SAN.XX")
    assert str(read(text, "SAN.XX", "&zone=Europe/Madrid").bars.index[0].date()) == "2018-12-17"


def test_a_file_of_other_tickers_lists_them(tmp_path):
    FORMS["long_form"](made(40, 1, "2015-01-02"), tmp_path)
    source = open_source(f"csv:{tmp_path}?adjusted=no")
    with pytest.raises(DataError, match=r"QQQ in all.csv, SPY in all.csv|SPY in all.csv, QQQ in all.csv"):
        source.fetch("DIA")
    (tmp_path / "all.csv").rename(tmp_path / "DIA.csv")
    with pytest.raises(DataError, match=r"holds (SPY, QQQ|QQQ, SPY), not DIA; ask for one of them by name"):
        source.fetch("DIA")
    assert len(open_source(f"csv:{tmp_path}?adjusted=no&ticker=QQQ").fetch("DIA").bars) == 40


def test_a_file_of_another_ticker_is_not_taken_for_the_one_that_is_asked(read):
    text = "Date,Ticker,Open,High,Low,Close,Volume\n2015-01-15,QQQ,1,3,1,2,5\n"
    with pytest.raises(DataError, match="holds QQQ, not SPY"):
        read(text)
    assert len(read(text, settings="&ticker=QQQ").bars) == 1


def test_two_files_of_one_ticker_are_refused(tmp_path):
    for form in ("yahoo", "parquet"):
        FORMS[form](made(40, 1, "2015-01-02"), tmp_path)
    with pytest.raises(DataError, match=r"SPY must have one file, got SPY.csv, SPY.parquet"):
        open_source(f"csv:{tmp_path}?adjusted=no").fetch("SPY")


@pytest.mark.parametrize(
    "content", [b"", b"\n\n", b"PK\x03\x04\x00\x00\x00\x01\x02\x00\x07", b"no header at all\n1,2\n"]
)
def test_what_is_no_table_is_refused_in_one_line(read, content):
    with pytest.raises(DataError) as raised:
        read(content)
    assert "\n" not in str(raised.value) and "SPY.csv" in str(raised.value)
