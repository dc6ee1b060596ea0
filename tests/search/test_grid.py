import pytest

from model.budget import Budget
from model.patchtst import instantiated_parameters
from pipeline.exceptions import InputError
from search.grid import make_grid


@pytest.mark.lesson("L5")
@pytest.mark.parametrize("text", ["5K", "350K", "2M", "20M", "200M", "2B"])
def test_every_count_is_that_of_the_instantiated_model(text):
    grid = make_grid(Budget(text=text), n_features=25)
    for architecture, row in zip(grid.architectures, grid.to_dict()["architectures"], strict=True):
        assert row["n_params"] == instantiated_parameters(architecture), architecture.label
        assert abs(row["n_params"] - grid.budget.n_params) <= 0.25 * grid.budget.n_params


def test_the_head_rule_holds():
    for architecture in make_grid(Budget(text="2M"), n_features=25).architectures:
        assert architecture.d_model % architecture.n_heads == 0
        assert architecture.head_dim >= 8


@pytest.mark.lesson("L2")
def test_architectures_are_named_by_their_dimensions_and_the_grid_by_its_content():
    grid = make_grid(Budget(text="2M"), n_features=25)
    rows = grid.to_dict()["architectures"]
    assert all(r["label"] == f"d{r['d_model']}-L{r['n_layers']}-h{r['n_heads']}-ff{r['d_ff']}" for r in rows)
    assert len({r["label"] for r in rows}) == len(rows)
    assert grid.hash == make_grid(Budget(text="2M"), n_features=25).hash
    assert grid.hash != make_grid(Budget(text="2M"), n_features=26).hash
    assert grid.hash != make_grid(Budget(text="2M"), n_features=25, min_head_dim=16).hash


def test_a_budget_without_architectures_is_refused_with_the_nearest():
    with pytest.raises(InputError, match=r"within ±25 %.*nearest is d\d+"):
        make_grid(Budget(text="100"), n_features=25)
