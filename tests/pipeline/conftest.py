"""Made-up bars on real exchange sessions."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import numpy as np
import pandas as pd
import pytest

from pipeline.bars import normalise
from pipeline.calendars import sessions
from pipeline.snapshots.snapshot import Snapshot, save_snapshot
from pipeline.sources import Download

MakeBars = Callable[..., pd.DataFrame]


def random_bars(days: int = 700, *, start: str = "2015-01-02", seed: int = 0) -> pd.DataFrame:
    """Bars that break no rule: a random walk, bounded, with volume."""
    first = date.fromisoformat(start)
    index = sessions("XNYS", first, first.replace(year=first.year + days // 240 + 1))[:days]
    assert len(index) == days
    random = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(random.normal(0.0003, 0.01, days)))
    open_ = close * np.exp(random.normal(0, 0.004, days))
    high = np.maximum(open_, close) * np.exp(np.abs(random.normal(0, 0.004, days)))
    low = np.minimum(open_, close) * np.exp(-np.abs(random.normal(0, 0.004, days)))
    volume = random.integers(1_000, 100_000, days).astype(float)
    frame = pd.DataFrame({"open": open_, "high": high, "low": low, "close": close, "volume": volume}, index=index)
    return normalise(frame)


@pytest.fixture(scope="session")
def make_bars() -> MakeBars:
    return random_bars


@pytest.fixture(scope="session")
def bars() -> pd.DataFrame:
    return random_bars()


@pytest.fixture(scope="session")
def vix() -> pd.DataFrame:
    """Bars in the place of ^VIX: no volume, levels around 20."""
    made = random_bars(seed=1)
    scale = 20 / made["close"].mean()
    return made.assign(**{name: made[name] * scale for name in made.columns if name != "volume"}, volume=0.0)


@pytest.fixture
def save(tmp_path) -> Callable[..., Snapshot]:
    """Store bars as a snapshot under the test's own directory."""

    def store(bars: pd.DataFrame, ticker: str = "SPY", *, source: str = "csv", adjusted: bool = False) -> Snapshot:
        return save_snapshot(
            tmp_path, source, Download(ticker=ticker, bars=bars, adjusted=adjusted, library="test 1.0")
        )

    return store
