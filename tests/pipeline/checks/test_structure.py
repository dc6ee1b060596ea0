from __future__ import annotations

import numpy as np
import pytest

from pipeline.bars import COLUMNS
from pipeline.checks import check_bars


@pytest.mark.parametrize("name", COLUMNS)
@pytest.mark.parametrize("value", [np.nan, "text"])
def test_a_gap_or_a_text_in_any_column_is_an_error_of_form(bars, name, value):
    broken = bars.astype(object) if value == "text" else bars.copy()
    broken.iloc[5, broken.columns.get_loc(name)] = value
    report = check_bars("SPY", broken)
    assert [finding.check for finding in report.errors] == ["schema"]
    assert any(name in item for item in report.errors[0].items)


def test_negative_volume_and_foreign_columns_are_errors_of_form(bars):
    assert check_bars("SPY", bars.assign(volume=-1.0)).errors[0].check == "schema"
    assert check_bars("SPY", bars.assign(extra=1.0)).errors[0].check == "schema"


@pytest.mark.lesson("L16")
@pytest.mark.parametrize(("name", "factor"), [("high", 0.9), ("low", 1.1), ("open", 1.3), ("close", 0.7)])
def test_high_and_low_bound_the_bar(bars, name, factor):
    broken = bars.copy()
    broken.iloc[5, broken.columns.get_loc(name)] *= factor
    errors = check_bars("SPY", broken).errors
    assert [finding.check for finding in errors] == ["price_bounds"]
    assert errors[0].items[0].startswith(str(bars.index[5].date()))


def test_a_bar_may_touch_its_bounds(bars):
    touching = bars.assign(high=bars[["open", "close"]].max(axis=1), low=bars[["open", "close"]].min(axis=1))
    assert not check_bars("SPY", touching).errors


@pytest.mark.lesson("L42")
@pytest.mark.parametrize(("name", "bound"), [("close", "high"), ("open", "low"), ("close", "low"), ("low", "high")])
@pytest.mark.parametrize("steps", [1, 8])
def test_rounding_of_computed_prices_breaks_no_bound(bars, name, bound, steps):
    towards = np.inf if bound == "high" else -np.inf
    value = bars[bound].to_numpy()
    for _ in range(steps):
        value = np.nextafter(value, towards)
    broken = bars.assign(**{name: value})
    if name == "low":
        broken = broken.assign(open=value, close=value)
    assert not check_bars("SPY", broken).errors


@pytest.mark.lesson("L42")
@pytest.mark.parametrize("excess", [2e-9, 1e-7])
def test_prices_that_differ_look_different(bars, excess):
    broken = bars.copy()
    high = 9.999999990000001
    broken.iloc[5, :5] = [high, high, high / 2, high * (1 + excess), high]
    (item,) = check_bars("SPY", broken).errors[0].items
    shown = dict(zip(item.split()[1::2], item.split()[2::2], strict=True))
    assert shown["high"] != shown["close"]
