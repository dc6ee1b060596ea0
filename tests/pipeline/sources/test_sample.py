from __future__ import annotations

import pytest

from pipeline.sources.sample import MODULES, SampleSource


@pytest.mark.parametrize("ticker", MODULES)
def test_both_indices_hold_twenty_years_of_sessions(ticker):
    bars = SampleSource().fetch(ticker).bars
    assert len(bars) == 5031
    assert str(bars.index[0].date()) == "1999-01-04"
    assert (bars["adj_close"] == bars["close"]).all()
