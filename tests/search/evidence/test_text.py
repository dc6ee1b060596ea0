import json
import math
from dataclasses import asdict

import numpy as np
import pytest

from search.evidence import paired_difference
from search.evidence.bootstrap import Interval
from search.evidence.text import difference_text, interval_text, json_ready, number_text


@pytest.mark.lesson("L3")
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_defined_is_unknown_also_as_an_end(value):
    assert number_text(value) == number_text(value, sign=True) == "unknown"
    assert interval_text(Interval(value=0.5, low=value, high=1.0), 1) == "0.5 [unknown, 1.0]"


def test_a_sign_stands_before_every_figure_of_an_interval_or_before_none():
    found = Interval(value=0.25, low=-0.5, high=1.0)
    assert interval_text(found, 2) == "0.25 [-0.50, 1.00]"
    assert interval_text(found, 2, sign=True) == "+0.25 [-0.50, +1.00]"


@pytest.mark.lesson("L23")
def test_a_difference_is_said_with_what_its_days_could_show():
    rng = np.random.default_rng(0)
    y_D, p_D = (rng.random(1200) < 0.3).astype(float), rng.uniform(0.2, 0.4, 1200)
    found = paired_difference(y_D, p_D, np.full(1200, 0.3), horizon=1)
    text = difference_text(found)
    assert text.startswith(f"difference in {found.metric} {found.value:+.4f} [{found.low:+.4f}, {found.high:+.4f}], ")
    assert text.endswith(f"1,200 days can show {found.detectable:.4f} (two-sided, 80% power)")


@pytest.mark.lesson("L50")
def test_what_has_no_support_is_said_in_words():
    y_D = np.zeros(300)
    y_D[:2] = 1
    found = paired_difference(y_D, np.linspace(0.1, 0.2, 300), np.full(300, 0.1), horizon=1)
    assert interval_text(found, 2, sign=True) == f"{found.value:+.2f} (no interval)"
    assert difference_text(found).endswith("fewer than 10 of the 300 days are of one class: no interval, no p-value")
    assert "nan" not in difference_text(found)


@pytest.mark.lesson("L50")
def test_what_has_no_support_is_null_in_json():
    found = paired_difference(np.zeros(300), np.linspace(0.1, 0.2, 300), np.full(300, 0.1), horizon=1)
    told = json.loads(json.dumps(json_ready(asdict(found)), allow_nan=False))
    assert told["p_value"] is None and told["low"] is None and told["value"] == found.value
