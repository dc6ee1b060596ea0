"""The contract that every source passes: one suite, each source in turn."""

from __future__ import annotations

import pandas as pd
import pytest

from pipeline.bars import COLUMNS, content_hash, normalise
from pipeline.checks import check_bars
from pipeline.exceptions import DataError
from pipeline.sources import SOURCES, Source
from pipeline.sources.csv import CsvSource
from pipeline.sources.sample import SampleSource

KNOWN = {"sample": "^GSPC", "yahoo": "TEST", "csv": "TEST"}


@pytest.fixture(params=SOURCES)
def source(request, yahoo, recorded_answer, market) -> Source:
    if request.param == "sample":
        return SampleSource()
    if request.param == "csv":
        return CsvSource(market, adjusted=False)
    return yahoo.open(TEST=[recorded_answer("chart_etf.json")], NOSUCH=[recorded_answer("not_found.json", 404)])


def test_it_carries_the_name_by_which_it_is_opened(source):
    assert source.name in SOURCES
    assert source.default_ticker


def test_bars_are_canonical(source):
    bars = source.fetch(KNOWN[source.name]).bars
    assert tuple(bars.columns) == COLUMNS
    assert set(bars.dtypes) == {pd.Series([1.0]).dtype}
    assert bars.index.name == "date" and bars.index.tz is None
    assert (bars.index == bars.index.normalize()).all()
    assert bars.index.is_monotonic_increasing and bars.index.is_unique
    pd.testing.assert_frame_equal(normalise(bars.reset_index()), bars)


def test_bars_have_no_errors(source):
    ticker = KNOWN[source.name]
    assert not check_bars(ticker, source.fetch(ticker).bars).errors


def test_what_was_asked_is_said(source):
    ticker = KNOWN[source.name]
    download = source.fetch(ticker)
    assert download.ticker == ticker
    assert download.adjusted is False
    library, _, version = download.library.partition(" ")
    assert library and version[0].isdigit()


def test_the_same_question_has_the_same_answer(source):
    first, second = (content_hash(source.fetch(KNOWN[source.name]).bars) for _ in range(2))
    assert first == second


def test_a_caller_cannot_change_what_the_next_one_gets(source):
    ticker = KNOWN[source.name]
    bars = source.fetch(ticker).bars
    before = content_hash(bars)
    bars.loc[bars.index[0], "close"] = -1.0
    assert content_hash(source.fetch(ticker).bars) == before


def test_an_unknown_ticker_is_named(source):
    with pytest.raises(DataError, match=r"ticker must be one that .*'NOSUCH'"):
        source.fetch("NOSUCH")
