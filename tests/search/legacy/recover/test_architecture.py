import pytest

from search.legacy.recover import grids
from search.legacy.recover.architecture import STATED, UNKNOWN, Stated, resolve, untrusted

# budget, arch_idx, d_model, n_layers, parameters; then the heads, d_ff and grids of those rows of a public study
GOLDEN = [
    ("2M", 57, 64, 48, 2414273, 8, 256, "grid v1, 20 features"),
    ("2M", 4, 64, 32, 1614529, 32, 256, "grid v1/v2/v3, 20 features"),
    ("20M", 30, 768, 4, 19088641, 2, 1536, "grid v1, 20 features"),
    ("20M", 15, 256, 24, 19014401, 2, 1024, "grid v1, 20 features"),
    ("20M", 36, 192, 64, 19054657, 4, 384, "grid v2/v3, 20 features"),
    ("200M", 3, 1024, 12, 151446529, 16, 4096, "grid v1/v2/v3, 25 features"),
    ("200M", 38, 768, 24, 170327809, 16, 3072, "grid v2/v3, 25 features"),
    ("200M", 88, 256, 256, 202251521, 16, 1024, "grid v3, 25 features"),
    ("2M", 60, 64, 48, 2417473, 2, 256, "grid v2/v3, 25 features"),
    ("2M", 0, 64, 32, 1617729, 2, 256, "grid v1/v2/v3, 25 features"),
    ("2M", 48, 64, 64, 2160449, 16, 128, "grid v2/v3, 25 features"),
    ("20M", 73, 128, 180, 23882881, 16, 256, "grid v3, 25 features"),
    ("20M", 0, 256, 32, 16940289, 2, 512, "grid v1/v2/v3, 25 features"),
    ("20M", 56, 384, 12, 21403009, 4, 1536, "grid v3, 25 features"),
    ("200M", 46, 384, 96, 170457985, 4, 1536, "grid v2/v3, 25 features"),
    ("200M", 91, 384, 180, 213206401, 4, 768, "grid v3, 25 features"),
    ("200M", 5, 512, 48, 151460353, 2, 2048, "grid v1/v2/v3, 25 features"),
    ("2B", 15, 1024, 128, 1612608513, 2, 4096, "grid v3, 25 features"),
    ("2B", 39, 768, 256, 1814714113, 32, 3072, "grid v3, 25 features"),
    ("2B", 1, 1024, 180, 1512268801, 4, 2048, "grid v3, 25 features"),
]
KNOWN = Stated(budget="2M", arch_idx=57, d_model=64, n_layers=48, n_params=2414273)


@pytest.mark.lesson("L1")
@pytest.mark.lesson("L2")
@pytest.mark.parametrize("budget_known", [True, False])
@pytest.mark.parametrize("row", GOLDEN, ids=lambda row: f"{row[0]}-{row[1]}-{row[4]}")
def test_golden_rows_are_recovered(row, budget_known):
    budget, arch_idx, d_model, n_layers, n_params, n_heads, d_ff, grid = row
    found = resolve(
        Stated(
            budget=budget if budget_known else None,
            arch_idx=arch_idx,
            d_model=d_model,
            n_layers=n_layers,
            n_params=n_params,
        )
    )
    assert (found.n_heads, found.n_heads_origin) == (n_heads, f"recovered ({grid})")
    assert found.d_ff == d_ff
    assert found.d_ff_origin == f"recovered (parameter count, {grid[-11:-9]} features)"
    assert found.flags == ()


@pytest.mark.lesson("L3")
@pytest.mark.parametrize("missing", ["d_model", "n_layers", "n_params"])
def test_without_proof_the_head_count_is_unknown_with_candidates(missing):
    fields = {name: getattr(KNOWN, name) for name in ("budget", "arch_idx", "d_model", "n_layers", "n_params")}
    found = resolve(Stated(**{**fields, missing: None}))
    assert found.n_heads is None
    assert found.n_heads_origin == UNKNOWN
    assert "8 (grid v1, 20 features" in found.candidates


def test_grids_that_disagree_leave_it_unknown(monkeypatch):
    real = grids.legacy_grid
    swapped = {("v2", 20, "2M"): 16}

    def edited(version, n_features, budget):
        grid = list(real(version, n_features, budget))
        if (version, n_features, budget) in swapped:
            grid[57] = real("v1", 20, "2M")[57]._replace(n_heads=swapped[version, n_features, budget])
        return tuple(grid)

    monkeypatch.setattr(grids, "legacy_grid", edited)
    found = resolve(KNOWN)
    assert (found.n_heads, found.n_heads_origin) == (None, UNKNOWN)
    assert found.candidates == "8 (grid v1, 20 features); 16 (grid v2, 20 features)"


@pytest.mark.lesson("L3")
def test_nothing_stated_is_nothing_known():
    found = resolve(Stated())
    assert [found.d_model, found.n_layers, found.n_heads, found.d_ff, found.n_params] == [None] * 5
    assert (found.n_heads_origin, found.candidates, found.flags) == (UNKNOWN, "", ())


def test_a_stated_head_count_that_the_index_confirms_names_the_grid():
    found = resolve(Stated(budget="2M", arch_idx=57, d_model=64, n_layers=48, n_params=2414273, n_heads=8))
    assert (found.n_heads, found.n_heads_origin, found.grids) == (8, STATED, "grid v1, 20 features")


def test_a_stated_head_count_that_the_index_contradicts_is_unknown():
    found = resolve(Stated(budget="2M", arch_idx=57, d_model=64, n_layers=48, n_params=2414273, n_heads=2))
    assert found.n_heads is None
    assert found.candidates == "2 (stated); 8 (grid v1, 20 features)"
    assert "says otherwise" in found.flags[0]


def test_an_index_that_no_grid_explains_is_flagged():
    found = resolve(Stated(budget="2M", arch_idx=57, d_model=65, n_layers=48, n_params=2414273, n_heads=5))
    assert found.n_heads == 5
    assert "no known grid" in found.flags[0]


@pytest.mark.parametrize(
    ("stated", "flag"),
    [
        (Stated(d_model=64, n_layers=48, d_ff=256, n_params=1), "the dimensions give 2,417,473"),
        (Stated(d_model=64, n_layers=48, n_params=1), "no d_ff gives 1 parameters"),
        (Stated(d_model=128, n_layers=180, d_ff=512, budget="20M"), "outside budget 20M"),
    ],
)
@pytest.mark.lesson("L5")
def test_a_count_that_does_not_fit_is_flagged(stated, flag):
    assert flag in resolve(stated).flags[0]


def test_the_ratio_gives_the_feed_forward_width():
    found = resolve(Stated(d_model=96, d_ff_ratio=4))
    assert (found.d_ff, found.d_ff_origin) == (384, "d_model times d_ff_ratio")


def test_untrusted_fields_are_text_only():
    found = untrusted(Stated(d_model=64, n_layers=32, n_heads=2), "why")
    assert (found.d_model, found.n_heads) == (None, None)
    assert found.untrusted == "d_model=64 n_layers=32 n_heads=2"
    assert found.candidates == "2 (stated, not to be trusted)"
