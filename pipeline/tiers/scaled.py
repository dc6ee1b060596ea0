"""Tiers ``s40`` and ``s33``: a window of seven (six) channels and 33 (27) static features of the day, in sigma.

The window's moves are measured in the sigma of its last day, which only the model knows to be the last: see
:attr:`pipeline.tiers.feature.Feature.unit`.
"""

from __future__ import annotations

from pipeline.indicators import scaled
from pipeline.indicators.returns import intraday_return, overnight_return
from pipeline.tiers.feature import IN_SIGMA, OVER_SIGMA, Feature, channel, feature, static

OHLC, VIX = "open high low close", "^VIX.close"
SIGMA = "log_sigma"
SIGMA_MEMORY = 400
"""Sessions after which the start of exponential weights of span 22 is forgotten."""
MOST_MOVE, MOST_VOLATILITY, MOST_VOLUME, MOST_STATIC = 6.0, 4.0, 3.0, 6.0


def _of_day(name: str, function: object, period: int = 0, days: int | None = None) -> Feature:
    """Declare a static feature of prices and sigma."""
    lookback = max(scaled.SPAN, period if days is None else days)
    settings = {"period": period} if period else {}
    return static(feature(name, OHLC, function, lookback, SIGMA_MEMORY + lookback, **settings), MOST_STATIC)  # type: ignore[arg-type]


PRICE_CHANNELS = (
    channel(feature("move_overnight", "open close", overnight_return, 1), IN_SIGMA, MOST_MOVE),
    channel(feature("move_intraday", "open close", intraday_return, 0), IN_SIGMA, MOST_MOVE),
    channel(feature("upper_wick", "open high close", scaled.upper_wick, 0), IN_SIGMA, MOST_MOVE),
    channel(feature("lower_wick", "open low close", scaled.lower_wick, 0), IN_SIGMA, MOST_MOVE),
    channel(feature("log_volatility", OHLC, scaled.log_volatility, 0), OVER_SIGMA, MOST_VOLATILITY),
)
IMPLIED_CHANNELS = (channel(feature("log_implied", VIX, scaled.log_implied, 0), OVER_SIGMA, MOST_VOLATILITY),)
VOLUME_CHANNELS = (channel(feature("log_volume", "volume", scaled.volume_over_mean, 59, period=60), "", MOST_VOLUME),)

PRICE_STATICS = (
    static(feature(SIGMA, OHLC, scaled.log_sigma, scaled.SPAN, SIGMA_MEMORY), MOST_STATIC),
    *(_of_day(f"volatility_{n}", scaled.volatility_over, n) for n in (1, 5, 66, 252)),
    *(_of_day(f"return_{n}", scaled.return_over, n) for n in (1, 2, 5, 10, 22, 66, 252)),
    *(_of_day(f"drawdown_{n}", scaled.drawdown, n) for n in (20, 252)),
    _of_day("gap", scaled.overnight),
    _of_day("intraday", scaled.intraday),
    _of_day("range_5", scaled.mean_range, 5),
    static(feature("close_location", "high low close", scaled.close_location, 0), MOST_STATIC),
    static(feature("volume_60", "volume", scaled.volume_over_mean, 59, period=60), MOST_STATIC),
    *(
        static(feature(name, "date", scaled.is_weekday, 0, day=number), MOST_STATIC)
        for number, name in enumerate(("monday", "tuesday", "wednesday", "thursday", "friday"))
    ),
    *(
        static(feature(f"follows_{name}", "ticker", scaled.follows, 0, index=number), MOST_STATIC)
        for number, name in enumerate(("sp500", "dow", "nasdaq"))
    ),
)
IMPLIED_STATICS = (
    static(
        feature(
            "implied_over_sigma", f"{VIX} {OHLC}", scaled.implied_over_sigma, scaled.SPAN, SIGMA_MEMORY + scaled.SPAN
        ),
        MOST_STATIC,
    ),
    static(feature("implied_level", VIX, scaled.log_implied, 0), MOST_STATIC),
    *(static(feature(f"implied_change_{n}", VIX, scaled.implied_change, n, period=n), MOST_STATIC) for n in (1, 5)),
    *(
        static(feature(f"implied_over_mean_{n}", VIX, scaled.implied_over_mean, n - 1, period=n), MOST_STATIC)
        for n in (20, 120)
    ),
)

S40 = (*PRICE_CHANNELS, *IMPLIED_CHANNELS, *VOLUME_CHANNELS, *PRICE_STATICS, *IMPLIED_STATICS)
S33 = (*PRICE_CHANNELS, *VOLUME_CHANNELS, *PRICE_STATICS)
