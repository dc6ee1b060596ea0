from dataclasses import replace

import pytest

from model.spec.architecture import count_parameters
from model.spec.budget import Budget
from pipeline.exceptions import InputError
from search.space.axes import WINDOW_AXES, Axes
from search.space.grid import candidates, make_grid
from search.study.recipe import fixed_architecture
from search.study.request import HpoRequest
from tests.model.conftest import instantiated_parameters

ANY_HEAD = Axes(min_head_dim=1)
WINDOWS = Axes(context_length=(20, 30, 60), patch_length=(5, 10), stride=(5, 10))
EARLIER_SIZES = {"2M": 80, "20M": 75, "200M": 125, "2B": 75}


def earlier_count(a):
    """The earlier study's own formula: learned positions of length N + 10."""
    n, d, d_ff = a.n_patches, a.d_model, a.d_ff
    encoder = a.n_layers * (4 * d * d + 9 * d + 2 * d * d_ff + d_ff)
    return (a.patch_length * a.n_features + 1) * d + (n + 10) * d + encoder + 2 * d + (n * d + 1)


@pytest.mark.slow
@pytest.mark.lesson("L5")
@pytest.mark.parametrize("head", ["binary", "distribution"])
@pytest.mark.parametrize("text", ["5K", "350K", "2M", "20M", "200M", "2B"])
def test_every_count_is_that_of_the_instantiated_model(text, head):
    """Heads, static token and positions included."""
    tier = "r25" if head == "binary" else "s40"
    grid = make_grid(Budget(text=text), **fixed_architecture(HpoRequest(budget=text, tier=tier, head=head)))
    for architecture, row in zip(grid.architectures, grid.to_dict()["architectures"], strict=True):
        assert row["n_params"] == instantiated_parameters(architecture), architecture.label
        assert abs(row["n_params"] - grid.budget.n_params) <= 0.25 * grid.budget.n_params


@pytest.mark.parametrize(("text", "size"), EARLIER_SIZES.items())
def test_without_the_head_rule_the_sizes_are_those_of_the_earlier_study(text, size):
    budget = Budget(text=text)
    found = [a for a in candidates(ANY_HEAD.of(budget), n_features=25) if budget.allows(earlier_count(a))]
    assert len(found) == size == len(make_grid(budget, n_features=25, axes=ANY_HEAD).architectures)


def test_the_earlier_formula_is_the_earlier_formula():
    (deep,) = candidates(Axes(d_model=(64,), n_layers=(48,), n_heads=(8,), ff_ratio=(4,)), n_features=25)
    assert earlier_count(deep) == 2_417_473


def test_the_head_rule_holds():
    for least in (8, 16):
        for architecture in make_grid(Budget(text="2M"), n_features=25, axes=Axes(min_head_dim=least)).architectures:
            assert architecture.d_model % architecture.n_heads == 0
            assert architecture.d_model // architecture.n_heads >= least


@pytest.mark.parametrize("text", ["350K", "1.5B", "12345678", "3M"])
def test_any_budget_and_tolerance_has_its_grid(text):
    narrow, wide = (make_grid(Budget(text=text, tolerance=each), n_features=25).architectures for each in (0.2, 0.5))
    assert set(narrow) < set(wide)


def test_axes_are_overridden_one_by_one():
    grid = make_grid(Budget(text="20M"), n_features=25, axes=Axes(n_layers=(160, 181), ff_ratio=(1, 3)))
    assert {a.n_layers for a in grid.architectures} == {160, 181}
    assert {a.d_ff // a.d_model for a in grid.architectures} <= {1, 3}
    assert grid.axes.n_heads == Axes().of(grid.budget).n_heads
    assert grid.to_dict()["axes"]["n_layers"] == [160, 181]


@pytest.mark.lesson("L2")
def test_architectures_are_named_by_their_dimensions_and_the_grid_by_its_content():
    grid = make_grid(Budget(text="2M"), n_features=25)
    rows = grid.to_dict()["architectures"]
    assert all(r["label"] == f"d{r['d_model']}-L{r['n_layers']}-h{r['n_heads']}-ff{r['d_ff']}" for r in rows)
    assert len({r["label"] for r in rows}) == len(rows)
    assert grid.hash == make_grid(Budget(text="2M"), n_features=25).hash
    assert grid.hash != make_grid(Budget(text="2M"), n_features=26).hash
    assert grid.hash != make_grid(Budget(text="2M"), n_features=25, axes=Axes(min_head_dim=16)).hash


def test_a_budget_without_architectures_is_refused_with_the_nearest():
    with pytest.raises(InputError, match=r"within ±25 %.*nearest is d\d+.*larger --tolerance"):
        make_grid(Budget(text="100"), n_features=25)


def test_heads_that_divide_no_width_are_refused():
    with pytest.raises(InputError, match=r"min_head_dim=8, got d_model 64 and n_heads 3,16; .*--min-head-dim"):
        make_grid(Budget(text="2M"), n_features=25, axes=Axes(d_model=(64,), n_heads=(3, 16)))


@pytest.mark.slow
@pytest.mark.lesson("L5")
@pytest.mark.parametrize("head", ["binary", "distribution"])
@pytest.mark.parametrize("text", ["5K", "2M"])
def test_every_count_of_a_searched_window_is_that_of_the_instantiated_model(text, head):
    tier = "r25" if head == "binary" else "s40"
    settings = fixed_architecture(HpoRequest(budget=text, tier=tier, head=head))
    grid = make_grid(Budget(text=text), axes=WINDOWS, **settings)
    assert grid.dimensions[4:] == WINDOW_AXES
    for architecture in grid.architectures[::7]:
        n_params = sum(count_parameters(architecture).values())
        assert n_params == instantiated_parameters(architecture), architecture.label
        assert abs(n_params - grid.budget.n_params) <= 0.25 * grid.budget.n_params


@pytest.mark.lesson("L2")
def test_a_searched_window_is_part_of_the_labels_the_hash_and_the_rows():
    fixed = make_grid(Budget(text="2M"), n_features=25)
    grid = make_grid(Budget(text="2M"), n_features=25, axes=WINDOWS)
    labels = [row["label"] for row in grid.to_dict()["architectures"]]
    assert len(set(labels)) == len(labels) and all(row["stride"] in (5, 10) for row in grid.to_dict()["architectures"])
    assert "d64-L48-h8-ff256-c60p10s5" in labels and grid.hash != fixed.hash
    assert {(a.patch_length, a.stride) for a in grid.architectures} == {(5, 5), (10, 5), (10, 10)}
    assert grid.longest_context == 60 and fixed.dimensions == ("d_model", "n_layers", "n_heads", "d_ff")
    assert grid.hash != make_grid(Budget(text="2M"), n_features=25, axes=replace(WINDOWS, stride=(5,))).hash


@pytest.mark.parametrize("window", [(60, 10, 5), (30, 10, 10), (20, 5, 5)])
def test_one_window_is_a_setting_and_no_axis(window):
    """The usual one, named, is the grid of before, to the last digit of its hash."""
    named = dict(zip(WINDOW_AXES, window, strict=True))
    chosen = make_grid(Budget(text="2M"), n_features=25, axes=Axes(**{name: (v,) for name, v in named.items()}))
    grid = make_grid(Budget(text="2M"), n_features=25, **named)
    assert chosen == grid and chosen.hash == grid.hash
    assert [a.label for a in chosen.architectures] == [a.label for a in grid.architectures]
    assert (grid.hash == make_grid(Budget(text="2M"), n_features=25).hash) == (window == (60, 10, 5))
    assert not any("-c" in a.label for a in grid.architectures)
