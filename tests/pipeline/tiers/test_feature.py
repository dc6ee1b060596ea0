from __future__ import annotations

import numpy as np
import pytest

from pipeline.tiers.feature import Feature


def test_inputs_come_in_the_order_of_the_declaration(bars, vix):
    feature = Feature(name="x", inputs=("^VIX.close", "low"), function=np.subtract, lookback=0)
    np.testing.assert_array_equal(feature.compute(bars, {"^VIX": vix}), vix["close"] - bars["low"])


def test_dates_can_be_an_input_of_either(bars, vix):
    for name in ("date", "^VIX.date"):
        feature = Feature(name="x", inputs=(name,), function=lambda date: date.astype("int64"), lookback=0)
        assert len(feature.compute(bars, {"^VIX": vix})) == len(bars)


def test_parameters_reach_the_function(bars):
    feature = Feature(
        name="x", inputs=("close",), function=lambda close, by: close * by, lookback=0, parameters={"by": 2.0}
    )
    np.testing.assert_array_equal(feature.compute(bars), bars["close"] * 2)


def test_a_column_that_does_not_exist_is_our_mistake(bars):
    with pytest.raises(KeyError):
        Feature(name="x", inputs=("closing",), function=np.abs, lookback=0).compute(bars)
