import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.spec.architecture import Architecture, total_parameters
from model.spec.budget import Budget
from search.space.axes import Axes
from search.space.depth import depth_limits
from search.space.grid import make_grid


def limits(text, tolerance=0.25):
    grid = make_grid(Budget(text=text, tolerance=tolerance), n_features=25)
    return list(depth_limits(grid.budget, grid.axes, grid.architectures))


@pytest.mark.parametrize(("text", "width", "largest"), [("2M", 64, 74), ("20M", 128, 188), ("200M", 192, 841)])
def test_known_limits_of_depth(text, width, largest):
    (found,) = [limit for limit in limits(text) if (limit.d_model, limit.ff_ratio) == (width, 2)]
    assert found.largest == largest


@given(
    text=st.sampled_from(["3K", "50K", "350K", "2M", "1.5B", "7654321"]),
    tolerance=st.floats(0.001, 0.999),
    width=st.integers(1, 3000),
    ratio=st.integers(1, 8),
)
def test_limits_are_the_first_and_last_depth_that_the_budget_allows(text, tolerance, width, ratio):
    budget = Budget(text=text, tolerance=tolerance)
    one = Architecture(n_features=25, d_model=8, n_layers=1, n_heads=1, d_ff=8)

    def allows(depth):
        dimensions = {"d_model": width, "n_heads": 1, "n_layers": depth, "d_ff": ratio * width}
        return budget.allows(total_parameters(Architecture(n_features=25, **dimensions)))

    found = list(depth_limits(budget, Axes(d_model=(width,), ff_ratio=(ratio,)).of(budget), [one]))
    if not found:
        assert not any(allows(depth) for depth in range(1, 2000))
        return
    (limit,) = found
    assert allows(limit.smallest) and allows(limit.largest)
    assert not allows(limit.largest + 1) and (limit.smallest == 1 or not allows(limit.smallest - 1))


def test_what_the_grid_holds_lies_within_the_limits_and_adds_up():
    grid = make_grid(Budget(text="20M"), n_features=25)
    found = limits("20M")
    assert sum(limit.n_architectures for limit in found) == len(grid.architectures)
    for limit in found:
        assert all(limit.smallest <= depth <= limit.largest for depth in limit.grid_depths)


def test_a_searched_window_allows_what_any_of_its_values_does():
    grid = make_grid(
        Budget(text="5K"), n_features=25, axes=Axes(context_length=(20, 60), patch_length=(5, 10), stride=(5,))
    )
    alone = {}
    for context, patch in ((20, 5), (20, 10), (60, 5), (60, 10)):
        own = make_grid(grid.budget, n_features=25, context_length=context, patch_length=patch)
        for limit in depth_limits(own.budget, own.axes, own.architectures):
            alone.setdefault((limit.d_model, limit.ff_ratio), []).append(limit)
    found = list(depth_limits(grid.budget, grid.axes, grid.architectures))
    assert {(limit.d_model, limit.ff_ratio) for limit in found} == set(alone)
    for limit in found:
        same = alone[limit.d_model, limit.ff_ratio]
        assert limit.smallest == min(each.smallest for each in same)
        assert limit.largest == max(each.largest for each in same)
    assert sum(limit.n_architectures for limit in found) == len(grid.architectures)
