"""Checks of plausibility: what a chart would show a careful eye."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.bars import PRICES, ROUNDING, adjusted
from pipeline.checks.check import NotApplicable, Series, error, itemise, warning

SCALE_DAYS = 251
"""Days around a day over which the scale of its returns is taken: about one year."""
NORMAL_OVER_MAD = 1.4826
OUTLIER_SCALES = 10.0
SPLIT_RATIOS = (1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0, 15.0, 20.0, 25.0, 30.0, 50.0)
SPLIT_OPEN_TOLERANCE = 0.04
SPLIT_CLOSE_TOLERANCE = 0.08
SEAM_TOLERANCE = 5e-4
FLAT_RUN_DAYS = 3
REPEATED_OPEN_SHARE = 0.5
REPEATED_OPEN_MIN_DAYS = 50
SAME_PRICE = 1e-6

Flags = npt.NDArray[np.bool_]
Values = npt.NDArray[np.float64]


def _log(values: pd.Series) -> pd.Series:
    return pd.Series(np.log(values.to_numpy()), index=values.index)


@warning(
    "volume must be positive on the days on which the ticker trades",
    remedy="compare with another source; volume features of these days mean little",
)
def _zero_volume(series: Series) -> list[str]:
    volume = series.bars["volume"]
    usual = volume.rolling(SCALE_DAYS, center=True, min_periods=1).median()
    if not (usual > 0).any():
        raise NotApplicable("the ticker has no volume")
    return itemise(series.bars, (volume == 0) & (usual > 0), "volume")


def _return_scales(close: pd.Series) -> tuple[Values, Values]:
    """Log returns, and each over the robust scale (median absolute return) of the year around it."""
    returns = _log(close).diff()
    scale = returns.abs().rolling(SCALE_DAYS, center=True, min_periods=SCALE_DAYS // 4).median() * NORMAL_OVER_MAD
    ratio = (returns.abs() / scale.where(scale > 0)).fillna(0.0)
    return returns.to_numpy(), ratio.to_numpy()


def _splits(bars: pd.DataFrame) -> tuple[Flags, Values]:
    """Days that open and close a whole split ratio away from the close before, and that ratio."""
    _, scales = _return_scales(bars["close"])
    before = bars["close"].shift()
    overnight, full = (_log(bars[name] / before).to_numpy() for name in ("open", "close"))
    logs = np.log(SPLIT_RATIOS)
    candidates = np.concatenate((-logs, logs))
    nearest = candidates[np.abs(full[:, None] - candidates).argmin(axis=1)]
    near = (np.abs(overnight - nearest) < SPLIT_OPEN_TOLERANCE) & (np.abs(full - nearest) < SPLIT_CLOSE_TOLERANCE)
    return near & (scales > OUTLIER_SCALES), np.exp(nearest)


def _is_index(series: Series) -> bool:
    return series.ticker.startswith("^")


@error(
    "the price must not jump by a split ratio overnight",
    remedy="divide the earlier prices by the ratio, take another source, or accept a real jump: "
    "hpo --accept unapplied_split:DAY",
)
def _unapplied_split(series: Series) -> list[str]:
    if _is_index(series):
        raise NotApplicable("an index has no splits")
    bars = adjusted(series.bars)
    flags, ratios = _splits(bars)
    return [
        f"{day.date()} close {close:.6g} after {before:.6g}, as in a split of {max(ratio, 1 / ratio):g} "
        + ("for 1" if ratio < 1 else "to 1 (reverse)")
        for day, close, before, ratio in zip(
            bars.index[flags], bars["close"][flags], bars["close"].shift()[flags], ratios[flags], strict=True
        )
    ]


@warning(
    f"a day's return must stay within {OUTLIER_SCALES:g} robust scales of the year around it",
    remedy="compare these days with another source; a crash is real, a typing error is not",
)
def _return_outliers(series: Series) -> list[str]:
    bars = adjusted(series.bars)
    returns, scales = _return_scales(bars["close"])
    flags = scales > OUTLIER_SCALES
    if not _is_index(series):
        flags &= ~_splits(bars)[0]
    return [
        f"{day.date()} return {np.expm1(value):+.2%}, {scale:.1f} robust scales"
        for day, value, scale in zip(bars.index[flags], returns[flags], scales[flags], strict=True)
    ]


@warning(
    f"{FLAT_RUN_DAYS} days in a row must not have open = high = low = close",
    remedy="don't use ranges of these days, or start the series later",
)
def _flat_bars(series: Series) -> list[str]:
    bars = series.bars
    prices = bars[list(PRICES)]
    flat = prices.max(axis=1) - prices.min(axis=1) <= ROUNDING * prices.max(axis=1)
    run = (flat != flat.shift()).cumsum()
    runs = bars.index.to_series()[flat].groupby(run[flat]).agg(["min", "max", "size"])
    return [
        f"{row.min:%Y-%m-%d} to {row.max:%Y-%m-%d}, {row.size} days"
        for row in runs[runs["size"] >= FLAT_RUN_DAYS].itertuples(index=False, name="Run")
    ]


@warning(
    "the open must not equal the previous close on more than half of a year's days",
    remedy="don't use opens of these years, or start the series later",
)
def _open_equals_previous_close(series: Series) -> list[str]:
    bars = series.bars
    before = bars["close"].shift()
    same = ((bars["open"] - before).abs() <= SAME_PRICE * before).astype(float)
    years = same.groupby(pd.DatetimeIndex(bars.index).year).agg(["mean", "size"])
    found = years[(years["mean"] > REPEATED_OPEN_SHARE) & (years["size"] >= REPEATED_OPEN_MIN_DAYS)]
    return [f"{year}: {row['mean']:.1%} of {int(row['size'])} days" for year, row in found.iterrows()]


@warning(
    "an adjusted series must stand on one price basis",
    remedy="pull the whole history again instead of appending rows",
)
def _adjustment_seam(series: Series) -> list[str]:
    bars = series.bars
    if not (bars["adj_close"] != bars["close"]).any() and series.previous is None:
        raise NotApplicable("one price basis only, and no earlier snapshot to compare with")
    inside = _log(bars["adj_close"] / bars["close"]).diff()
    items = [
        f"{str(day)[:10]} adjustment factor falls by {-np.expm1(step):.4%}"
        for day, step in inside[inside < -SEAM_TOLERANCE].items()
    ]
    if series.previous is not None:
        against = _log(bars["adj_close"] / series.previous["adj_close"].reindex(bars.index)).dropna().diff()
        items += [
            f"{str(day)[:10]} factor against the previous snapshot changes by {np.expm1(step):+.4%}"
            for day, step in against[against.abs() > SEAM_TOLERANCE].items()
        ]
    return items


PRICE_CHECKS = (
    _zero_volume,
    _return_outliers,
    _flat_bars,
    _open_equals_previous_close,
    _unapplied_split,
    _adjustment_seam,
)
