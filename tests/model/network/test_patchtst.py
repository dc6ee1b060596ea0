from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from model.network.patchtst import STANDARD_DEVIATIONS_KEPT, PatchTST, predict_proba
from model.spec.architecture import Architecture
from tests.model.conftest import instantiated_parameters

TINY = Architecture(
    n_features=3, context_length=20, patch_length=5, stride=5, d_model=8, n_layers=1, n_heads=2, d_ff=16
)


def _model(architecture: Architecture = TINY, dropout: float = 0.0) -> PatchTST:
    torch.manual_seed(0)
    return PatchTST(architecture, dropout).eval()


def _window(architecture: Architecture, windows: int = 2) -> torch.Tensor:
    size = (windows, architecture.context_length, architecture.n_features)
    return torch.randn(size, generator=torch.Generator().manual_seed(1))


@st.composite
def overlapping(draw: st.DrawFn) -> Architecture:
    patch_length = draw(st.integers(1, 10))
    return replace(
        TINY,
        context_length=patch_length + draw(st.integers(0, 30)),
        patch_length=patch_length,
        stride=draw(st.integers(1, patch_length)),
    )


@pytest.mark.lesson("L12")
@settings(max_examples=60)
@given(architecture=overlapping())
def test_exactly_the_newest_whole_patches_reach_the_output(architecture: Architecture) -> None:
    a = architecture
    used = (a.n_patches - 1) * a.stride + a.patch_length
    x_BTF = _window(a).requires_grad_()
    _model(a)(x_BTF).sum().backward()
    assert x_BTF.grad is not None
    reached = x_BTF.grad.abs().sum(dim=(0, 2)) > 0
    assert reached[a.context_length - used :].all(), "a day inside the patches has no effect"
    assert not reached[: a.context_length - used].any(), "a day that alignment leaves out has an effect"


@pytest.mark.lesson("L12")
@pytest.mark.parametrize("context_length", [20, 21, 22, 23, 24, 25])
def test_the_last_day_counts_and_the_oldest_surplus_does_not(context_length: int) -> None:
    a = replace(TINY, context_length=context_length)
    model, x_BTF = _model(a), _window(a)
    before = model(x_BTF)
    newest, oldest = x_BTF.clone(), x_BTF.clone()
    newest[:, -1] += 1.0
    surplus = context_length % 5
    oldest[:, :surplus] += 1.0
    assert (model(newest) != before).all()
    assert torch.equal(model(oldest), before)
    oldest[:, surplus] += 1.0
    assert (model(oldest) != before).all()


def test_patches_hold_consecutive_days_and_end_at_the_forecast_day() -> None:
    a = replace(TINY, n_features=1, context_length=12, patch_length=4, stride=3)
    patches_BPX = _model(a).patches(torch.arange(12.0).view(1, 12, 1))
    assert patches_BPX[0].tolist() == [[2, 3, 4, 5], [5, 6, 7, 8], [8, 9, 10, 11]]


def test_windows_in_a_batch_do_not_meet() -> None:
    model, x_BTF = _model(), _window(TINY, 5)
    alone = torch.cat([model(x_BTF[i : i + 1]) for i in range(5)])
    assert torch.allclose(model(x_BTF), alone, atol=1e-6)


@pytest.mark.lesson("L8")
def test_head_count_changes_the_output_though_no_shape() -> None:
    two, four = _model(TINY), _model(replace(TINY, n_heads=4))
    four.load_state_dict(two.state_dict())
    x_BTF = 30 * _window(TINY)
    with torch.no_grad():
        for model in (two, four):
            model.blocks[0].query_key_value.weight.copy_(10 * two.blocks[0].query_key_value.weight)  # type: ignore
    assert not torch.equal(two(x_BTF), four(x_BTF))


def test_attention_agrees_with_the_written_formula() -> None:
    model = _model()
    block, tokens_BPD = model.blocks[0], torch.randn(2, 4, 8, generator=torch.Generator().manual_seed(2))
    nn.init.normal_(block.query_key_value.weight, std=1.0)  # type: ignore[union-attr, arg-type]
    query, key, value = block.query_key_value(tokens_BPD).split(8, dim=-1)  # type: ignore[union-attr, operator]
    heads = []
    for i in (slice(0, 4), slice(4, 8)):
        scores = query[..., i] @ key[..., i].transpose(1, 2) / 4**0.5
        heads.append(scores.softmax(-1) @ value[..., i])
    expected = block.attention_output(torch.cat(heads, -1))  # type: ignore[union-attr, operator]
    assert torch.allclose(block._attend(tokens_BPD), expected, atol=1e-6)  # type: ignore[union-attr, operator]


@pytest.mark.lesson("L20")
def test_the_model_returns_logits() -> None:
    model = _model()
    nn.init.constant_(model.head.bias, 7.0)
    assert model(_window(TINY)).detach().numpy() == pytest.approx([7.0, 7.0], abs=1.0)
    nn.init.constant_(model.head.bias, -7.0)
    assert model(_window(TINY)).detach().numpy() == pytest.approx([-7.0, -7.0], abs=1.0)
    assert not [m for m in model.modules() if isinstance(m, nn.Sigmoid | nn.Softmax)]


@pytest.mark.lesson("L20")
def test_predict_proba_is_one_sigmoid_in_double_precision() -> None:
    logits = torch.tensor([-100.0, -2.0, 0.0, 2.0, 30.0])
    p = predict_proba(logits)
    assert p.dtype == torch.float64
    assert torch.allclose(p, 1 / (1 + torch.exp(-logits.double())))
    assert torch.allclose(torch.logit(p[1:4]), logits[1:4].double())
    assert 0 < float(p[0]) and float(p[-1]) < 1


def test_standardisation_makes_scale_and_level_irrelevant() -> None:
    raw = 5 + 3 * torch.randn(500, 3, generator=torch.Generator().manual_seed(3))
    model, scaled = _model(), _model()
    model.set_statistics(raw)
    scaled.set_statistics(100 * raw - 7)
    x_BTF = raw[:40].view(2, 20, 3)
    assert torch.allclose(model(x_BTF), scaled(100 * x_BTF - 7), atol=1e-4)
    assert torch.allclose(model.feature_mean, raw.mean(0)) and torch.allclose(model.feature_std, raw.std(0))


@pytest.mark.lesson("L24")
def test_instance_norm_removes_the_level_and_scale_of_every_window_and_only_then() -> None:
    x_BTF = _window(TINY, windows=3)
    level, scale = torch.tensor([5.0, -2.0, 0.5]), torch.tensor([0.5, 3.0, 2.0])
    shifted = scale[None, None, :] * x_BTF + level[None, None, :]
    normed, plain = _model(replace(TINY, instance_norm="revin")), _model()
    assert torch.allclose(normed(x_BTF), normed(shifted), atol=1e-4)
    assert not torch.allclose(plain(x_BTF), plain(shifted), atol=1e-3)
    flat = torch.ones(1, 20, 3)
    assert normed(flat).isfinite().all(), "a window without variation has none to divide by"


def test_a_constant_feature_does_not_divide_by_zero() -> None:
    model = _model()
    model.set_statistics(torch.ones(10, 3))
    assert torch.equal(model.feature_std, torch.ones(3))
    assert model(torch.ones(1, 20, 3)).isfinite().all()


def test_outliers_are_clamped_at_the_stated_deviations() -> None:
    model = _model()
    at, beyond = torch.zeros(1, 20, 3), torch.zeros(1, 20, 3)
    at[0, -1], beyond[0, -1] = STANDARD_DEVIATIONS_KEPT, 100 * STANDARD_DEVIATIONS_KEPT
    inside = at.clone()
    inside[0, -1] -= 1.0
    assert torch.equal(model(at), model(beyond))
    assert not torch.equal(model(at), model(inside))


@pytest.mark.lesson("L25")
def test_nan_is_not_hidden_by_clamping() -> None:
    x_BTF = _window(TINY)
    x_BTF[0, -1, 0] = float("nan")
    logits = _model()(x_BTF)
    assert logits[0].isnan() and logits[1].isfinite()


@pytest.mark.lesson("L6")
def test_dropout_acts_in_training_only() -> None:
    x_BTF = _window(TINY)
    model = _model(dropout=0.5)
    assert torch.equal(model(x_BTF), model(x_BTF))
    model.train()
    assert not torch.equal(model(x_BTF), model(x_BTF))
    assert {m.p for m in model.modules() if isinstance(m, nn.Dropout)} == {0.5}


@pytest.mark.parametrize("init", ["normal", "fan_in"])
def test_initial_weights_have_the_stated_scale(init: str) -> None:
    torch.manual_seed(0)
    model = PatchTST(replace(TINY, d_model=64, n_layers=8, n_heads=4, d_ff=128), init=init)
    for name, parameter in model.named_parameters():
        if "norm" in name:
            assert torch.equal(parameter, torch.full_like(parameter, float(name.endswith("weight"))))
        elif name.endswith("bias"):
            assert not parameter.any()
        else:
            std = 0.02 if init == "normal" or name == "positions" else 1 / math.sqrt(parameter.shape[1])
            expected = std / 4 if "attention_output" in name or "contract" in name else std
            assert float(parameter.detach().std()) == pytest.approx(expected, rel=0.15), name


@pytest.mark.lesson("L5")
def test_counting_builds_nothing_and_leaves_the_random_state() -> None:
    state = torch.get_rng_state()
    huge = replace(TINY, d_model=2048, n_layers=60, n_heads=32, d_ff=8192)
    assert instantiated_parameters(huge) > 2 * 10**9
    assert torch.equal(torch.get_rng_state(), state)


def test_statistics_are_buffers_and_not_counted() -> None:
    model = _model()
    assert {"feature_mean", "feature_std"} == {name for name, _ in model.named_buffers()}
    assert sum(p.numel() for p in model.parameters()) == instantiated_parameters(TINY)
