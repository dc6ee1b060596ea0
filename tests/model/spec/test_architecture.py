from __future__ import annotations

from dataclasses import fields, replace

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from model.network.patchtst import PatchTST
from model.spec.architecture import Architecture, WindowedArchitecture, count_parameters, total_parameters
from pipeline.exceptions import InputError
from tests.model.conftest import instantiated_parameters

D64 = Architecture(n_features=25, d_model=64, n_layers=48, n_heads=8, d_ff=256)


@st.composite
def architectures(draw: st.DrawFn, max_layers: int = 4) -> Architecture:
    patch_length = draw(st.integers(1, 20))
    n_heads = draw(st.sampled_from([1, 2, 3, 4, 8, 16]))
    return Architecture(
        n_features=draw(st.integers(1, 40)),
        context_length=patch_length + draw(st.integers(0, 100)),
        patch_length=patch_length,
        stride=draw(st.integers(1, patch_length)),
        d_model=n_heads * draw(st.integers(1, 40)),
        n_layers=draw(st.integers(1, max_layers)),
        n_heads=n_heads,
        d_ff=draw(st.integers(1, 500)),
    )


@pytest.mark.lesson("L5")
@settings(max_examples=100)
@given(architecture=architectures())
def test_closed_form_equals_the_instantiated_count(architecture: Architecture) -> None:
    assert total_parameters(architecture) == instantiated_parameters(architecture)


@pytest.mark.lesson("L5")
@pytest.mark.parametrize("n_layers", [2, 48, 192])
@pytest.mark.parametrize("d_model", [64, 192, 2048])
@pytest.mark.parametrize("d_ff_ratio", [2, 4])
def test_closed_form_is_exact_on_grid_corners(d_model: int, n_layers: int, d_ff_ratio: int) -> None:
    architecture = replace(D64, d_model=d_model, n_layers=n_layers, d_ff=d_ff_ratio * d_model)
    assert total_parameters(architecture) == instantiated_parameters(architecture)


def test_head_count_changes_no_count_but_the_label() -> None:
    other = replace(D64, n_heads=2)
    assert total_parameters(other) == total_parameters(D64)
    assert other.label != D64.label and other != D64


@pytest.mark.lesson("L2")
@given(a=architectures(), b=architectures())
def test_labels_are_equal_only_for_equal_dimensions(a: Architecture, b: Architecture) -> None:
    def dimensions(x: Architecture) -> tuple[int, ...]:
        return (x.d_model, x.n_layers, x.n_heads, x.d_ff)

    assert (a.label == b.label) == (dimensions(a) == dimensions(b))


@given(architecture=architectures())
def test_patches_fill_the_context_and_no_more(architecture: Architecture) -> None:
    a = architecture
    used = (a.n_patches - 1) * a.stride + a.patch_length
    assert a.n_patches >= 1
    assert used <= a.context_length < used + a.stride


def test_groups_by_hand() -> None:
    counts = count_parameters(D64)
    assert counts["embedding"] == 250 * 64 + 64
    assert counts["positions"] == 11 * 64
    assert counts["head"] == 11 * 64 + 1
    assert counts["feed_forward"] == 48 * (2 * 64 * 256 + 256 + 64)
    assert sum(counts.values()) == total_parameters(D64)


WORDS = ("instance_norm", "head", "horizons")


@pytest.mark.parametrize("name", [field.name for field in fields(Architecture) if field.name not in WORDS])
@pytest.mark.parametrize("value", [0, -1, 1.0, True, "8", None])
def test_every_dimension_must_be_a_whole_number(name: str, value: object) -> None:
    if (name, value) == ("n_static", 0):
        return
    with pytest.raises(InputError, match=rf"{name} must be a whole number.*{value!r}"):
        replace(D64, **{name: value})


@pytest.mark.parametrize("horizons", ["none", "", "0 1", "5 1", "1 1", "1,5", "1.5", "1 5 "])
def test_a_distribution_has_horizons_in_order_and_a_binary_head_none(horizons: str) -> None:
    with pytest.raises(InputError, match="horizons must be days in order, each once, separated by blanks"):
        replace(D64, head="distribution", horizons=horizons)
    with pytest.raises(InputError, match="horizons must be none for a binary head"):
        replace(D64, horizons="1 5")
    with pytest.raises(InputError, match="head must be one of binary, distribution, got 'both'"):
        replace(D64, head="both")


def test_a_distribution_with_static_features_is_counted_by_hand() -> None:
    counts = count_parameters(replace(D64, n_features=7, n_static=33, head="distribution", horizons="1 2 3 5"))
    assert counts["embedding"] == 70 * 64 + 64 and counts["static"] == 33 * 64 + 64
    assert counts["positions"] == 12 * 64 and counts["head"] == (12 * 64 + 1) * 4 * 9


@given(d_model=st.integers(1, 300), n_heads=st.integers(1, 300))
def test_heads_must_divide_the_width(d_model: int, n_heads: int) -> None:
    assume(d_model % n_heads)
    with pytest.raises(InputError, match=f"n_heads={n_heads}, d_model={d_model}; take one of"):
        replace(D64, d_model=d_model, n_heads=n_heads)


def test_a_patch_must_fit_in_the_context() -> None:
    assert replace(D64, patch_length=60).n_patches == 1
    with pytest.raises(InputError, match="patch_length=61, context_length=60"):
        replace(D64, patch_length=61)


def test_a_stride_that_skips_days_is_refused() -> None:
    with pytest.raises(InputError, match="stride must not exceed patch_length"):
        Architecture(n_features=3, patch_length=5, stride=6, d_model=8, n_layers=1, n_heads=1, d_ff=8)


@pytest.mark.parametrize("text", ["", "None", "RevIN", 1, True, None])
def test_an_unknown_instance_norm_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"^instance_norm must be one of none, revin, got"):
        replace(D64, instance_norm=text)


GROUP_OF = {
    "embedding": "embedding",
    "positions": "positions",
    "query_key_value": "attention",
    "attention_output": "attention",
    "expand": "feed_forward",
    "contract": "feed_forward",
    "norm": "norms",
    "attention_norm": "norms",
    "feed_forward_norm": "norms",
    "head": "head",
}


@pytest.mark.lesson("L5")
@settings(max_examples=30)
@given(architecture=architectures())
def test_every_group_counts_the_parameters_of_its_modules(architecture: Architecture) -> None:
    with torch.device("meta"):
        model = PatchTST(architecture)
    counted = dict.fromkeys(GROUP_OF.values(), 0)
    for name, parameter in model.named_parameters():
        module = name if name == "positions" else name.split(".")[-2]
        counted[GROUP_OF[module]] += parameter.numel()
    assert counted == count_parameters(architecture)


@pytest.mark.lesson("L2")
@given(architectures())
def test_a_label_with_the_window_tells_every_window_apart_and_is_read_back(a: Architecture) -> None:
    windowed = a.called(f"{a.label}-c{a.context_length}p{a.patch_length}s{a.stride}")
    assert isinstance(windowed, WindowedArchitecture) and windowed.label != a.label
    assert (windowed.called(a.label), a.called(windowed.label)) == (a, windowed)
    assert windowed.called("another") is windowed and a.called("another") is a
    assert count_parameters(windowed) == count_parameters(a)
