"""Real daily history that the `arch` package carries: no network needed."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version

from pipeline.bars import normalise
from pipeline.exceptions import DataError
from pipeline.sources.base import Download

MODULES = {"^GSPC": "arch.data.sp500", "^IXIC": "arch.data.nasdaq"}


class SampleSource:
    """S&P 500 (``^GSPC``) and Nasdaq Composite (``^IXIC``), 1999-01-04 to 2018-12-31.

    Examples
    --------
    >>> download = SampleSource().fetch("^GSPC")
    >>> len(download.bars), str(download.bars.index[-1].date())
    (5031, '2018-12-31')
    """

    name = "sample"
    default_ticker = "^GSPC"

    def has(self, ticker: str) -> bool:
        """Say whether the ticker is one of the two that are embedded."""
        return ticker in MODULES

    def fetch(self, ticker: str) -> Download:
        """Return the embedded bars of one ticker.

        Raises
        ------
        DataError
            If the ticker is not one of the two that are embedded.
        """
        if ticker not in MODULES:
            raise DataError(f"ticker must be one that source sample has ({', '.join(MODULES)}), got {ticker!r}")
        bars = normalise(import_module(MODULES[ticker]).load())
        return Download(ticker=ticker, bars=bars, adjusted=False, library=f"arch {version('arch')}")
