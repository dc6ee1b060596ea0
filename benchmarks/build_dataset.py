"""Time to build dataset versions: every tier for 8,400 days, and twenty tickers in the largest.

    python -m benchmarks.build_dataset [--days 8400] [--tickers 20] [--tier r55]

Prices are made up on real exchange sessions; nothing is downloaded, and what is
built goes to a temporary directory.  Each time is of the whole way that a user
waits for: read the snapshots, check them, compute the features, hash, write.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Sequence
from datetime import date
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.bars import normalise
from pipeline.calendars import NEW_YORK, sessions
from pipeline.datasets.build import build_dataset
from pipeline.snapshots.snapshot import Snapshot, save_snapshot
from pipeline.sources import Download
from pipeline.tiers import TIERS

LIBRARIES = ("numpy", "pandas", "pyarrow", "pandera", "TA-Lib")
LAST_SESSION = date(2024, 12, 31)
TIER_LIMIT_SECONDS = 1.0
TICKERS_LIMIT_SECONDS = 20.0
REPEATS = 3


def random_bars(days: int, seed: int) -> pd.DataFrame:
    """Bars of a random walk on the last ``days`` sessions to the end of 2024."""
    index = sessions(NEW_YORK, date(2024 - days // 245 - 1, 1, 1), LAST_SESSION)[-days:]
    random = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(random.normal(0.0002, 0.01, days)))
    open_ = close * np.exp(random.normal(0, 0.003, days))
    high = np.maximum(open_, close) * np.exp(np.abs(random.normal(0, 0.004, days)))
    low = np.minimum(open_, close) * np.exp(-np.abs(random.normal(0, 0.004, days)))
    volume = random.integers(10**6, 10**8, days)
    frame = pd.DataFrame({"open": open_, "high": high, "low": low, "close": close, "volume": volume}, index=index)
    return normalise(frame)


def store(root: Path, ticker: str, days: int, seed: int) -> Snapshot:
    """Snapshot of made-up bars."""
    bars = random_bars(days, seed)
    return save_snapshot(root, "csv", Download(ticker=ticker, bars=bars, adjusted=False, library="benchmark 1"))


def timed_build(root: Path, snapshot: Snapshot, tier: str, volatility: Snapshot) -> float:
    """Seconds of one build into an empty place."""
    for stored in (root / "datasets").glob("*.parquet"):
        stored.unlink()
    start = time.perf_counter()
    build_dataset(root, snapshot, tier, auxiliary=[volatility])
    return time.perf_counter() - start


def import_all(root: Path) -> None:
    """Build a short history once: pandera and exchange_calendars import parts of themselves on first use."""
    short = [store(root, ticker, 300, seed=99) for ticker in ("SHORT", "^VIX")]
    build_dataset(root, short[0], "r55", auxiliary=short[1:])


def verdict(seconds: float, limit: float) -> str:
    """Whether a limit is kept, in words."""
    return f"{'within' if seconds < limit else 'OVER'} the limit of {limit:g} s"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; return 1 where a limit is not kept."""
    parser = argparse.ArgumentParser(description="Time to build dataset versions.")
    parser.add_argument("--days", type=int, default=8400)
    parser.add_argument("--tickers", type=int, default=20)
    parser.add_argument("--tier", choices=TIERS, default="r55")
    options = parser.parse_args(arguments)

    print(f"{date.today()} · Python {platform.python_version()} · {platform.system()} {platform.machine()} · ", end="")
    print(f"{os.cpu_count()} cores · " + ", ".join(f"{name} {version(name)}" for name in LIBRARIES))
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        volatility = store(root, "^VIX", options.days, seed=0)
        universe = [store(root, f"T{place:02d}", options.days, seed=place) for place in range(1, options.tickers + 1)]
        import_all(root)
        slowest = timed_build(root, universe[0], options.tier, volatility)
        print(f"first build of {options.tier}, the calendar made on the way: {slowest:.3f} s")
        for tier in TIERS:
            times = [timed_build(root, universe[0], tier, volatility) for _ in range(REPEATS)]
            slowest = max(slowest, *times)
            shape = f"{options.days:,} days × {len(TIERS[tier])} features"
            print(f"{tier}: {shape}: median {statistics.median(times):.3f} s, worst {max(times):.3f} s of {REPEATS}")
        start = time.perf_counter()
        for snapshot in universe:
            build_dataset(root, snapshot, options.tier, auxiliary=[volatility])
        whole = time.perf_counter() - start
    kept = slowest < TIER_LIMIT_SECONDS and whole < TICKERS_LIMIT_SECONDS
    print(f"one ticker, slowest of all: {slowest:.3f} s, {verdict(slowest, TIER_LIMIT_SECONDS)}")
    print(f"{options.tickers} tickers in {options.tier}: {whole:.2f} s, {verdict(whole, TICKERS_LIMIT_SECONDS)}")
    return 0 if kept else 1


if __name__ == "__main__":
    raise SystemExit(main())
