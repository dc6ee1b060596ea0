import pytest

from search.report.sections.methods import methods_section


def test_it_says_what_is_not_shown_and_with_what_it_was_made(inputs, measured):
    said = " ".join(block.text for block in methods_section(inputs, measured).blocks)
    assert f"the test split from {inputs.plan.split.test_start} on" in said
    assert "torch 2.13.0" in said and "200 resamples" in said and "other seeds" in said


@pytest.mark.lesson("L23")
def test_it_says_that_intervals_are_too_narrow_where_all_persists(inputs, measured):
    said = " ".join(block.text for block in methods_section(inputs, measured).blocks)
    assert "95 % intervals held the truth in 82 to 85 % of simulations" in said
    assert "narrower than they should be" in said
