from __future__ import annotations

import logging
import socket

import pytest
from curl_cffi.requests.exceptions import ConnectionError as CurlConnectionError

from pipeline.bars import adjusted
from pipeline.exceptions import DataError
from pipeline.sources.yahoo import ATTEMPTS, FIRST_WAIT_SECONDS, JITTER, YahooSource


def test_prices_as_traded_and_the_adjusted_close_are_both_there(yahoo, recorded_answer):
    bars = yahoo.open(TEST=[recorded_answer("chart_etf.json")]).fetch("TEST").bars
    assert bars["close"].tolist() == [100.0, 101.0, 102.0, 100.5, 101.5]
    assert bars["adj_close"].tolist() == pytest.approx([99.0, 99.99, 100.98, 100.5, 101.5])
    assert adjusted(bars)["open"].iloc[0] == pytest.approx(99.75 * 0.99)
    assert bars["volume"].tolist() == [1000, 1100, 1200, 1300, 400]
    assert str(bars.index[0].date()) == "2024-03-11"


def test_the_bar_of_a_session_that_is_not_over_is_left_out(yahoo, recorded_answer):
    during = yahoo.open(now="2024-03-15T19:00+00:00", TEST=[recorded_answer("chart_etf.json")]).fetch("TEST").bars
    assert str(during.index[-1].date()) == "2024-03-14"


def test_an_index_has_volume_zero(yahoo, recorded_answer):
    bars = yahoo.open(INDEX=[recorded_answer("chart_index.json")]).fetch("^TEST").bars
    assert (bars["volume"] == 0).all()
    assert bars["adj_close"].equals(bars["close"].rename("adj_close"))


@pytest.mark.parametrize(
    ("status", "body"),
    [(503, b"<html>Service Unavailable</html>"), (500, b'{"finance": {"error": {"code": "Internal Server Error"}}}')],
)
def test_a_server_error_is_tried_again(yahoo, recorded_answer, answer, status, body, caplog):
    source = yahoo.open(TEST=[*[answer(status, body)] * 4, recorded_answer("chart_etf.json")])
    with caplog.at_level(logging.WARNING, logger="pipeline.sources.yahoo"):
        assert len(source.fetch("TEST").bars) == 5
    assert len(yahoo.waits) == 2  # yfinance itself asks twice in each attempt
    assert "TEST" in caplog.text and "attempt 1" in caplog.text


def test_a_broken_connection_is_tried_again_with_growing_waits(yahoo, recorded_answer):
    source = yahoo.open(TEST=[CurlConnectionError("reset")] * 3 + [recorded_answer("chart_etf.json")])
    assert len(source.fetch("TEST").bars) == 5
    assert len(yahoo.waits) == 3
    for attempt, wait in enumerate(yahoo.waits):
        assert (1 - JITTER) * FIRST_WAIT_SECONDS * 2**attempt <= wait <= (1 + JITTER) * FIRST_WAIT_SECONDS * 2**attempt


def test_no_network_is_said_after_the_last_attempt(yahoo):
    with pytest.raises(DataError, match="check the network"):
        yahoo.open(TEST=[CurlConnectionError("no route")]).fetch("TEST")
    assert len(yahoo.waits) == ATTEMPTS - 1


def test_a_rate_limit_is_said_after_the_last_attempt(yahoo, recorded_answer):
    with pytest.raises(DataError, match="rate limit each time; wait some minutes"):
        yahoo.open(TEST=[recorded_answer("not_found.json", 429)]).fetch("TEST")
    assert len(yahoo.waits) == ATTEMPTS - 1


def test_an_unknown_ticker_is_not_asked_again(yahoo, recorded_answer):
    with pytest.raises(DataError, match=r"ticker must be one that Yahoo knows, got 'NOSUCH'"):
        yahoo.open(NOSUCH=[recorded_answer("not_found.json", 404)]).fetch("NOSUCH")
    assert not yahoo.waits


def test_an_empty_answer_is_refused(yahoo, recorded_answer):
    with pytest.raises(DataError, match="at least one session, got none"):
        yahoo.open(VOID=[recorded_answer("chart_empty.json")]).fetch("VOID")
    assert not yahoo.waits


def test_yfinance_is_left_as_it_was(yahoo, recorded_answer):
    import yfinance

    hidden = yfinance.config.debug.hide_exceptions
    with pytest.raises(DataError):
        yahoo.open(NOSUCH=[recorded_answer("not_found.json", 404)]).fetch("NOSUCH")
    assert yfinance.config.debug.hide_exceptions is hidden


def _yahoo_answers() -> bool:
    try:
        with socket.create_connection(("query2.finance.yahoo.com", 443), timeout=3):
            return True
    except OSError:
        return False


@pytest.mark.live
def test_the_real_service_answers(request):
    if "live" not in request.config.getoption("markexpr"):
        pytest.skip("asks Yahoo Finance; run it with: pytest -m live")
    if not _yahoo_answers():
        pytest.skip("Yahoo Finance can't be reached")
    bars = YahooSource().fetch("SPY").bars
    assert len(bars) > 8000
    assert (bars["adj_close"] <= bars["close"] * (1 + 1e-6)).all()
