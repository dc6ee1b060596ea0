import pytest

from model.budget import Budget
from search.coverage import EXTREME_AXES, extremes
from search.grid import make_grid


@pytest.mark.lesson("L31")
@pytest.mark.parametrize("text", ["5K", "50K", "350K", "2M", "20M", "200M", "2B"])
def test_both_ends_of_width_depth_and_heads_are_forced(text):
    grid = make_grid(Budget(text=text), n_features=25)
    found = extremes(grid)
    for axis in EXTREME_AXES:
        values = {getattr(a, axis) for a in found}
        low, high = grid.limits()[axis]
        assert {low, high} <= values
    assert len(set(found)) == len(found) <= 6
    assert set(found) <= set(grid.architectures)


def test_six_differ_where_the_grid_allows_and_prefer_eight_heads():
    found = extremes(make_grid(Budget(text="2M"), n_features=25))
    assert len(found) == 6
    assert [a.n_heads for a in found[:4]] == [8, 8, 8, 8]
