"""Real daily history that the `arch` package carries: no network needed."""

from __future__ import annotations

from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import pandas as pd

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
        bars = normalise(read_embedded(MODULES[ticker]))
        return Download(ticker=ticker, bars=bars, adjusted=False, library=f"arch {version('arch')}")


def read_embedded(module: str) -> pd.DataFrame:
    """Read the data of one of the modules, as its ``load`` does, without the two seconds of importing the package."""
    package, *folders = module.split(".")
    spec = find_spec(package)
    assert spec is not None and spec.origin is not None
    bars = pd.read_csv(Path(spec.origin).parent.joinpath(*folders, f"{folders[-1]}.csv.gz"))
    dates = pd.to_datetime(bars.pop("Date"))
    return bars.apply(pd.to_numeric, errors="coerce").set_index(dates)
