import pytest

from model.spec.budget import Budget
from pipeline.exceptions import InputError
from search.space.axes import Axes
from search.space.extremes import extremes
from search.space.grid import AXES, make_grid
from search.space.untested import axis_counts, ends_in_words, find_gaps, find_wanted, read_where


@pytest.fixture
def grid():
    return make_grid(Budget(text="2M"), n_features=25)


def untested(grid, tested):
    return {(axis, v) for axis, counts in axis_counts(grid, tested).items() for v, n in counts.items() if n == 0}


@pytest.mark.lesson("L31")
@pytest.mark.parametrize("text", ["50K", "350K", "2M", "20M", "200M", "2B"])
def test_a_handful_of_architectures_fills_every_gap(text):
    grid = make_grid(Budget(text=text), n_features=25)
    chosen = find_gaps(grid, [])
    assert untested(grid, chosen) == set()
    assert chosen[: len(extremes(grid))] == extremes(grid)
    longest = max(len(counts) for counts in axis_counts(grid, []).values())
    assert len(set(chosen)) == len(chosen) <= 6 + longest < len(grid.architectures)


@pytest.mark.lesson("L31")
def test_only_what_is_missing_is_chosen(grid):
    whole = find_gaps(grid, [])
    assert find_gaps(grid, whole) == []
    for left_out in whole:
        tested = [a for a in whole if a != left_out]
        again = find_gaps(grid, tested)
        assert len(again) <= 1
        assert untested(grid, [*tested, *again]) == set()
    missing_extreme = extremes(grid)[3]
    assert find_gaps(grid, [a for a in grid.architectures if a != missing_extreme]) == [missing_extreme]


def test_one_architecture_covers_many_values(grid):
    tested = [*extremes(grid), *(a for a in grid.architectures if a.d_model != 128)]
    tested = [a for a in tested if a.n_layers != 12]
    assert untested(grid, tested) == {("d_model", 128), ("n_layers", 12), ("n_layers", 16)}
    assert sorted((a.d_model, a.n_layers) for a in find_gaps(grid, tested)) == [(128, 12), (128, 16)]


def test_counts_are_of_trials_at_each_value_of_the_grid(grid):
    first = grid.architectures[0]
    counts = axis_counts(grid, [first, first])
    assert set(counts) == set(AXES)
    assert counts["d_model"] == {64: 2, 128: 0, 192: 0, 256: 0, 384: 0}


def test_an_extreme_says_which_end_it_is(grid):
    words = [ends_in_words(grid, a) for a in extremes(grid)]
    for axis in ("d_model", "n_layers", "n_heads"):
        assert any(f"smallest {axis}" in each for each in words)
        assert any(f"largest {axis}" in each for each in words)


def test_wanted_values_choose_one_near_the_middle_unless_there_is_one(grid):
    found = find_wanted(grid, [], {"n_layers": 64})
    assert found.n_layers == 64
    assert find_wanted(grid, [found], {"n_layers": 64}) is None
    assert find_wanted(grid, [found], {"n_layers": 64, "n_heads": 2}).n_heads == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("n_layers", "where must be axis=value"),
        ("depth=64", "with an axis of d_model, n_layers, n_heads, d_ff"),
        ("n_layers=", "where must be axis=value"),
        ("n_layers=-1", "where must be axis=value"),
        ("n_layers=64,n_layers=48", "each once"),
        ("n_layers=24", "n_layers can be 2, 3, 4, 6, 8, 12, 16, 32, 48, 64"),
        ("d_model=64,n_layers=2", "d_model with n_layers=2 can be 256, 384"),
    ],
)
def test_what_can_not_be_wanted_is_refused_by_rule_and_remedy(grid, text, words):
    with pytest.raises(InputError, match=words):
        find_wanted(grid, [], read_where(text))


@pytest.mark.lesson("L31")
def test_every_value_of_a_searched_window_is_counted_and_can_be_wanted():
    axes = Axes(context_length=(20, 25, 30, 35, 40, 45, 60), patch_length=(5, 10), stride=(5,))
    windows = make_grid(Budget(text="2M"), n_features=25, axes=axes)
    chosen = find_gaps(windows, [])
    assert untested(windows, chosen) == set()
    assert axis_counts(windows, chosen[:1]).keys() == {*AXES, "context_length", "patch_length"}
    without = [*extremes(windows), *(a for a in windows.architectures if a.context_length != 45)]
    assert untested(windows, without) == {("context_length", 45)}, "no extreme is in the middle of so many"
    assert [a.context_length for a in find_gaps(windows, without)] == [45]
    found = find_wanted(windows, without, read_where("context_length=45,patch_length=5"))
    assert (found.context_length, found.patch_length) == (45, 5) and found.label.endswith("-c45p5s5")
    with pytest.raises(InputError, match="context_length can be 20, 25, 30, 35, 40, 45, 60"):
        find_wanted(windows, [], read_where("context_length=50"))
