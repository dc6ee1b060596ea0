from __future__ import annotations

import sys
from importlib import import_module
from subprocess import run

import pandas as pd
import pytest

from pipeline.sources.sample import MODULES, SampleSource, read_embedded


@pytest.mark.parametrize("ticker", MODULES)
def test_both_indices_hold_twenty_years_of_sessions(ticker):
    bars = SampleSource().fetch(ticker).bars
    assert len(bars) == 5031
    assert str(bars.index[0].date()) == "1999-01-04"
    assert (bars["adj_close"] == bars["close"]).all()


@pytest.mark.parametrize("module", MODULES.values())
def test_what_is_read_is_what_the_package_loads(module):
    pd.testing.assert_frame_equal(read_embedded(module), import_module(module).load(), check_exact=True)


def test_reading_imports_neither_the_package_nor_what_it_needs():
    script = "import sys; from pipeline.sources.sample import SampleSource; SampleSource().fetch('^GSPC')\n"
    script += "print([name for name in ('arch', 'scipy.stats', 'statsmodels') if name in sys.modules])"
    assert run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "[]\n"
