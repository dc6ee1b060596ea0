import pytest

from search.evidence.long_run import difference_cosines, level_in_words
from search.report.sections.methods import methods_section


def test_it_says_what_is_not_shown_and_with_what_it_was_made(inputs, measured):
    said = " ".join(block.text for block in methods_section(inputs, measured).blocks)
    assert f"the test split from {inputs.plan.split.test_start} on" in said
    assert "torch 2.13.0" in said and "200 resamples" in said and "other seeds" in said


@pytest.mark.lesson("L23")
def test_it_says_how_often_intervals_hold_and_where_they_are_too_narrow(inputs, measured):
    said = " ".join(block.text for block in methods_section(inputs, measured).blocks)
    assert "95 % intervals held the truth in 92 to 95 % of simulations on 502 days" in said
    n_days = len(inputs.forecasts.y_D)
    assert level_in_words(n_days) in said and f"by {difference_cosines(n_days)} cosines" in said
    assert "narrower than they should be" in said
