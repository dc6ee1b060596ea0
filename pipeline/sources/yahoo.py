"""Yahoo Finance through yfinance: prices as traded beside the adjusted close."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import pandas as pd

from pipeline.bars import normalise
from pipeline.exceptions import DataError
from pipeline.sources.base import Download

KNOWN = ("SPY", "DIA", "QQQ", "^DJI", "^IXIC", "^GSPC", "^VIX")
"""Indices and funds that Yahoo has had for decades."""
NOT_FOUND = 404
ATTEMPTS = 5
FIRST_WAIT_SECONDS = 1.0
JITTER = 0.5
"""A wait is multiplied by a random number within 1 ± this, so that two processes don't knock together."""

logger = logging.getLogger(__name__)


class YahooSource:
    """Daily bars of any ticker that Yahoo Finance knows, over its whole history.

    Open, high, low and close are split-adjusted but not dividend-adjusted, and
    the adjusted close stands beside them: the adjustment is made by
    :func:`pipeline.bars.adjusted`, so that a dividend never rewrites the prices
    that are stored.  The bar of a session that is not over is left out.

    Transient faults (network, rate limit, a server's error) are tried again up
    to four times with waits of about 1, 2, 4 and 8 seconds; each is logged.

    Parameters
    ----------
    session : object, optional
        HTTP session for yfinance, of its own or of the requests library.
    sleep : callable, optional
        Waits for a number of seconds.
    now : callable, optional
        Tells the time, with a time zone.
    """

    name = "yahoo"
    default_ticker = "SPY"

    def __init__(
        self,
        session: Any = None,
        *,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._session = session
        self._sleep = sleep
        self._now = now

    def has(self, ticker: str) -> bool:
        """Say whether the ticker is one of those that Yahoo is known to have; no other is asked for unasked."""
        return ticker in KNOWN

    def fetch(self, ticker: str) -> Download:
        """Download every completed daily bar of one ticker.

        Raises
        ------
        DataError
            If Yahoo doesn't know the ticker, answers with nothing, refuses for
            now, or can't be reached after the last attempt.
        """
        frame = self._with_retries(ticker)
        if frame.empty:
            raise _empty(ticker)
        return Download(ticker=ticker, bars=normalise(frame), adjusted=False, library=f"yfinance {version('yfinance')}")

    def _with_retries(self, ticker: str) -> pd.DataFrame:
        from yfinance.exceptions import YFException, YFPricesMissingError, YFRateLimitError, YFTickerMissingError

        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._history(ticker)
            except YFPricesMissingError as error:
                if error.yahoo_reason is not None:
                    raise _unknown(ticker, error) from error
                raise _empty(ticker) from error
            except YFTickerMissingError as error:
                raise _unknown(ticker, error) from error
            except (YFException, OSError, ValueError, LookupError) as error:
                if getattr(getattr(error, "response", None), "status_code", None) == NOT_FOUND:
                    raise _unknown(ticker, error) from error
                reason = "rate limit" if isinstance(error, YFRateLimitError) else _one_line(error)
                if attempt == ATTEMPTS:
                    raise DataError(
                        f"{ticker}: Yahoo must answer within {ATTEMPTS} attempts, got {reason} each time; "
                        + ("wait some minutes and pull again" if reason == "rate limit" else "check the network")
                    ) from error
                wait = FIRST_WAIT_SECONDS * 2 ** (attempt - 1) * random.uniform(1 - JITTER, 1 + JITTER)
                logger.warning(
                    "%s: %s, attempt %d of %d failed, next in %.1f s", ticker, reason, attempt, ATTEMPTS, wait
                )
                self._sleep(wait)
        raise AssertionError("the last attempt returns or raises")

    def _history(self, ticker: str) -> pd.DataFrame:
        """One attempt, with yfinance told to raise instead of printing."""
        import yfinance
        from yfinance.data import YfData

        with _raising(yfinance):
            YfData(session=self._session).cache_get.cache_clear()  # yfinance remembers failed answers too
            shares = yfinance.Ticker(ticker, session=self._session)
            frame = shares.history(period="max", interval="1d", auto_adjust=False, back_adjust=False, actions=False)
            return self._completed(frame, shares.history_metadata)

    def _completed(self, frame: pd.DataFrame, metadata: Any) -> pd.DataFrame:
        """Drop the bar of a session that is not over yet."""
        regular = (metadata.get("currentTradingPeriod") or {}).get("regular") or {}
        end = regular.get("end")
        if frame.empty or end is None:
            return frame
        end = pd.Timestamp(end, unit="s", tz="UTC") if isinstance(end, int) else pd.Timestamp(end)
        open_still = pd.Timestamp(self._now()) < end
        if open_still and frame.index[-1].date() == end.tz_convert(frame.index[-1].tz).date():
            return frame.iloc[:-1]
        return frame


@contextmanager
def _raising(yfinance: Any) -> Iterator[None]:
    settings = yfinance.config.debug
    hidden = settings.hide_exceptions
    settings.hide_exceptions = False
    try:
        yield
    finally:
        settings.hide_exceptions = hidden


def _unknown(ticker: str, error: Exception) -> DataError:
    return DataError(
        f"{ticker}: ticker must be one that Yahoo knows, got {ticker!r} ({_one_line(error)}); "
        "look up its spelling on finance.yahoo.com"
    )


def _empty(ticker: str) -> DataError:
    return DataError(f"{ticker}: Yahoo must answer with at least one session, got none; pull later or another ticker")


def _one_line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
