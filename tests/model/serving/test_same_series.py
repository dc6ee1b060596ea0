from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from model.serving.same_series import LEAST_COMMON, require_same_series
from pipeline.exceptions import DataError


def walk(seed, n=LEAST_COMMON + 1):
    close = 100 * np.exp(np.random.default_rng(seed).normal(0, 0.01, n).cumsum())
    return pd.DataFrame({"close": close}, index=pd.bdate_range("2020-01-01", periods=n))


def facts_of(bars):
    closes = dict(zip(bars.index.strftime("%Y-%m-%d"), bars["close"], strict=True))
    return SimpleNamespace(ticker="SPY", closes=closes)


def test_another_series_is_refused_where_enough_days_are_common():
    bars = walk(0)
    require_same_series(bars.round(2), facts_of(bars))
    with pytest.raises(DataError, match="bars must be of SPY, got others: on the 60 days"):
        require_same_series(walk(1), facts_of(bars))
    require_same_series(walk(1).iloc[1:], facts_of(bars))
