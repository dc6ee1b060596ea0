from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from model.spec.architecture import Architecture
from model.spec.budget import Budget
from pipeline.exceptions import InputError
from search.space.axes import Axes
from search.space.extremes import EXTREME_AXES, extreme_axes, extremes
from search.space.grid import Grid, make_grid

BUDGETS = ("5K", "50K", "350K", "2M", "20M", "200M", "2B")
axis = st.lists(st.integers(1, 24).map(lambda value: 8 * value), max_size=5).map(tuple)
counts = st.lists(st.integers(1, 12), max_size=5).map(tuple)


@st.composite
def grids(draw):
    """Any grid: standard budgets or own axes, whole or in part, from one architecture up."""
    budget = Budget(text=draw(st.sampled_from(BUDGETS)), tolerance=draw(st.sampled_from([0.05, 0.25, 0.6, 0.9])))
    axes = Axes(
        d_model=draw(axis),
        n_layers=draw(counts),
        n_heads=draw(counts),
        ff_ratio=draw(counts.map(lambda values: values[:2])),
        min_head_dim=draw(st.sampled_from([1, 2, 8])),
        context_length=draw(st.sampled_from([(), (60,), (20, 30, 60)])),
        patch_length=draw(st.sampled_from([(), (5, 10)])),
    )
    try:
        grid = make_grid(budget, n_features=25, axes=axes)
    except InputError:
        grid = make_grid(Budget(text=budget.text), n_features=25)
    some = st.lists(st.sampled_from(grid.architectures), min_size=1, max_size=12, unique=True)
    part = draw(st.one_of(st.just(grid.architectures), some.map(tuple)))
    return Grid(budget=budget, axes=grid.axes, architectures=part)


def candidates(grid):
    """Architectures with each of the extreme values."""
    ends = [(name, grid.limits()[name][end]) for name in extreme_axes(grid) for end in (0, 1)]
    return [{a for a in grid.architectures if getattr(a, name) == value} for name, value in ends]


def most_different(sets):
    """Largest number of sets that can be given a member of their own (Hall's theorem, the deficiency version)."""
    chosen = [each for size in range(len(sets) + 1) for each in combinations(sets, size)]
    return min(len(sets) - len(each) + len(set().union(*each)) for each in chosen)


@pytest.mark.lesson("L31")
@pytest.mark.parametrize("text", BUDGETS)
def test_both_ends_of_width_depth_and_heads_are_forced(text):
    grid = make_grid(Budget(text=text), n_features=25)
    found = extremes(grid)
    for name in EXTREME_AXES:
        assert set(grid.limits()[name]) <= {getattr(a, name) for a in found}
    assert len(set(found)) == len(found) == 6
    for architecture, sharing in zip(found, candidates(grid), strict=True):
        assert architecture in sharing


@pytest.mark.slow
@pytest.mark.lesson("L31")
@given(grids())
def test_as_many_extremes_differ_as_can_and_none_is_missing_from_any_grid(grid):
    found, sets = extremes(grid), candidates(grid)
    assert set(found) <= set(grid.architectures)
    assert len(set(found)) == len(found) == most_different(sets)
    assert all(sharing & set(found) for sharing in sets)


@pytest.mark.lesson("L31")
def test_a_nearest_architecture_that_two_extremes_share_goes_to_the_one_that_has_no_other():
    """Taking the nearest one by one, smallest width would take the only architecture of the smallest depth."""
    dimensions = [(64, 2, 8), (64, 12, 4), (128, 12, 8), (96, 24, 8), (96, 12, 2), (96, 12, 16)]
    six = [Architecture(n_features=25, d_model=d, n_layers=n, n_heads=h, d_ff=2 * d) for d, n, h in dimensions]
    grid = Grid(budget=Budget(text="1M"), axes=Axes(), architectures=tuple(six))
    assert extremes(grid) == [six[1], six[2], six[0], *six[3:]]


def test_eight_heads_are_taken_where_they_exist_and_the_nearest_elsewhere():
    found = extremes(make_grid(Budget(text="2M"), n_features=25))
    assert [a.n_heads for a in found] == [8, 8, 8, 8, 2, 32]
    narrow = extremes(make_grid(Budget(text="2M"), n_features=25, axes=Axes(min_head_dim=16)))
    assert narrow[0].d_model == 64 and narrow[0].n_heads == 4


def test_a_grid_with_single_values_still_has_six():
    grid = make_grid(Budget(text="20M"), n_features=25, axes=Axes(n_layers=(8,), d_model=(512,), ff_ratio=(2, 3, 4)))
    assert len(extremes(grid)) == min(6, len(grid.architectures))


def extremes_by_scipy(grid):
    """As every study before 2026-11-26 chose them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("search.space.extremes.assign", lambda costs: np.transpose(linear_sum_assignment(costs)).tolist())
        return extremes(grid)


@pytest.mark.parametrize(("text", "tolerance"), product(BUDGETS, (0.25, 0.6)))
def test_the_order_is_that_of_older_studies(text, tolerance):
    grid = make_grid(Budget(text=text, tolerance=tolerance), n_features=25)
    assert extremes(grid) == extremes_by_scipy(grid)


@pytest.mark.slow
@given(grids())
def test_any_grid_has_the_extremes_that_scipy_gives_it(grid):
    assert extremes(grid) == extremes_by_scipy(grid)


@pytest.mark.lesson("L31")
def test_both_ends_of_a_searched_window_are_forced_too():
    axes = Axes(context_length=(20, 30, 60), patch_length=(5, 10), stride=(5,))
    grid = make_grid(Budget(text="2M"), n_features=25, axes=axes)
    found = extremes(grid)
    assert extreme_axes(grid) == (*EXTREME_AXES, "context_length", "patch_length")
    assert len(set(found)) == len(found) == 10
    for name in extreme_axes(grid):
        assert set(grid.limits()[name]) <= {getattr(a, name) for a in found}
