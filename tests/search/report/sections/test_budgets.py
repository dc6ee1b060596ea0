import pytest

from search.report.sections.budgets import best_trials_apart, budgets_section, in_order, previous_budget


@pytest.fixture(scope="module")
def three(make_inputs, inputs):
    return [inputs, make_inputs(budget="200K", n_trials=4), make_inputs(budget="5K", n_trials=3)]


def test_the_previous_budget_is_the_next_smaller(three):
    own, larger, smaller = three
    assert [each.plan.budget for each in in_order(three)] == ["5K", "50K", "200K"]
    assert previous_budget(own, [larger, smaller]) is smaller
    assert previous_budget(larger, [own, smaller]) is own
    assert previous_budget(smaller, [own, larger]) is None


@pytest.mark.lesson("L23")
def test_each_budget_is_compared_with_the_one_below(three, measured):
    section = budgets_section(in_order(three), measured)
    table = next(block for block in section.blocks if block.kind == "table")
    assert table.rows[0][-2:] == ("–", "–")
    apart = best_trials_apart(three[0], three[2])
    assert table.data["difference_value"].iloc[1] == apart.value
    assert table.data["difference_detectable"].iloc[1] == apart.detectable > 0
    (figure,) = section.figures
    assert len(figure.data) == 57
