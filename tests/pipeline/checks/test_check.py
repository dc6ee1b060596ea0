from __future__ import annotations

from pipeline.checks.check import itemise


def test_items_carry_date_and_values(bars):
    broken = bars["close"] == bars["close"].iloc[3]
    assert itemise(bars, broken, "close") == [f"{bars.index[3].date()} close {bars['close'].iloc[3]:.10g}"]
    assert itemise(bars, bars["close"] < 0, "close") == []
