from itertools import product

import pytest

from search.legacy.recover.grids import BUDGETS, DEPTHS, FEATURE_COUNTS, legacy_count, legacy_grid, matches


def test_sizes_are_those_of_the_earlier_study():
    assert [len(legacy_grid("v3", 25, budget)) for budget in BUDGETS] == [80, 75, 125, 75]


@pytest.mark.lesson("L2")
def test_one_index_means_different_architectures():
    assert legacy_grid("v1", 20, "2M")[57][1:] == (64, 48, 8, 256)
    assert legacy_grid("v3", 25, "2M")[57][1:] == (128, 12, 8, 512)


@pytest.mark.parametrize(("version", "n_features", "budget"), product(DEPTHS, FEATURE_COUNTS, BUDGETS))
def test_every_point_is_found_by_what_a_log_says_of_it(version, n_features, budget):
    grid = legacy_grid(version, n_features, budget)
    assert [p.n_params for p in grid] == sorted(p.n_params for p in grid)
    for index, p in enumerate(grid):
        assert p.n_params == legacy_count(n_features=n_features, d_model=p.d_model, n_layers=p.n_layers, d_ff=p.d_ff)
        found = matches(index, d_model=p.d_model, n_layers=p.n_layers, n_params=p.n_params)
        assert (version, n_features) in [match[:2] for match in found]
        assert {match.point.n_heads for match in found} == {p.n_heads}


@pytest.mark.lesson("L3")
def test_a_negative_or_too_large_index_matches_nothing():
    assert matches(-1) == []
    assert matches(10**9) == []
    assert matches(0, budget="7M") == []


def test_the_first_entry_is_known():
    first = {"d_model": 64, "n_layers": 32, "n_heads": 2, "d_ff": 256, "n_params": 1614529}
    assert matches(0, budget="2M", **first)
    assert not matches(0, budget="2M", **{**first, "n_heads": 4})
