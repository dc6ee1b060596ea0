import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.evidence.difference import ERRORS_TO_DETECT
from search.evidence.power import plan_power
from search.results import detectable
from search.results.detectable import days_of_folds, what_days_show


def test_the_errors_that_are_seen_are_those_of_the_evidence():
    assert pytest.approx(ERRORS_TO_DETECT, rel=1e-12) == detectable.ERRORS_TO_DETECT


@pytest.mark.lesson("L47")
@given(st.integers(210, 4000), st.integers(1, 9), st.floats(0.1, 0.5), st.integers(0, 30))
def test_more_folds_are_spoken_of_where_they_show_more(days, horizon, base_rate, years):
    said = what_days_show(days, horizon, base_rate, years=years)
    shown = plan_power(days, horizon, base_rate=base_rate, correlation=0.96)
    assert f"apart by {shown.smallest_loss:.4f} in log loss or {shown.smallest_gain:.3f} in AUC" in said
    folds = min(years, 8)
    assert (f"--folds {folds} would show" in said) == (days_of_folds(folds) > days)


def test_what_too_few_days_could_show_is_not_said():
    assert what_days_show(20, 10, 0.2, years=20) == ""
