from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from model.network.dropout import keep_mask
from model.network.small_attention import SmallAttention


class _Attention(torch.autograd.Function):
    """Both passes as one function of autograd's, as a block has them inside its own."""

    @staticmethod
    def forward(ctx: Any, qkv_BP3HK: Tensor, keep_NPP: Tensor | None) -> Tensor:
        B, P, _, H, K = qkv_BP3HK.shape
        ctx.attention = SmallAttention(qkv_BP3HK, windows=B, tokens=P, n_heads=H, width=K)
        ctx.room = ctx.attention.room()
        ctx.room.keep_NPP = keep_NPP
        ctx.attention.qkv_RX.view(qkv_BP3HK.shape).copy_(qkv_BP3HK)
        ctx.attention.forward(ctx.room)
        return ctx.room.mixed_RD.view(B, P, H * K).clone()

    @staticmethod
    def backward(ctx: Any, d_mixed_BPD: Tensor) -> tuple[Tensor, None]:
        B, P, D = d_mixed_BPD.shape
        K = ctx.room.query_NPK.shape[-1]
        ctx.attention.d_mixed_RD.view(B, P, D).copy_(d_mixed_BPD)
        ctx.attention.backward(ctx.room)
        return ctx.attention.qkv_RX.view(B, P, 3, D // K, K).clone(), None


def attend(qkv_BP3HK: Tensor, keep_NPP: Tensor | None = None) -> Tensor:
    return _Attention.apply(qkv_BP3HK, keep_NPP)


def _written(qkv_BP3HK: Tensor, keep_NPP: Tensor | None = None) -> Tensor:
    """Compute the formula, one window and head at a time, for autograd to differentiate."""
    B, P, _, H, K = qkv_BP3HK.shape
    mixed = torch.empty(B, P, H, K, dtype=qkv_BP3HK.dtype)
    for b in range(B):
        for h in range(H):
            query, key, value = qkv_BP3HK[b, :, :, h].unbind(1)
            weights = (query @ key.T / math.sqrt(K)).softmax(-1)
            if keep_NPP is not None:
                weights = weights * keep_NPP[b * H + h]
            mixed[b, :, h] = weights @ value
    return mixed.flatten(2)


def _qkv(B: int, P: int, H: int, K: int, dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(B, P, 3, H, K, generator=generator, dtype=dtype, requires_grad=True)


SHAPES = [(2, 9, 4, 2), (3, 5, 1, 3), (1, 2, 2, 1), (2, 1, 2, 4), (1, 1, 1, 1), (4, 11, 2, 8)]


@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("B, P, H, K", SHAPES)
def test_values_and_gradients_are_those_of_the_written_formula(B: int, P: int, H: int, K: int, dropout: float) -> None:
    torch.manual_seed(1)
    qkv_BP3HK, upstream = _qkv(B, P, H, K), torch.randn(B, P, H * K, dtype=torch.float64)
    keep_NPP = keep_mask(torch.empty(B * H, P, P, dtype=torch.float64), dropout) if dropout else None
    expected, found = _written(qkv_BP3HK, keep_NPP), attend(qkv_BP3HK, keep_NPP)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    wanted, got = (torch.autograd.grad(out, qkv_BP3HK, upstream)[0] for out in (expected, found))
    torch.testing.assert_close(got, wanted, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_the_gradient_is_that_of_finite_differences(dropout: float) -> None:
    qkv_BP3HK = _qkv(2, 4, 2, 3)
    keep_NPP = keep_mask(torch.empty(4, 4, 4, dtype=torch.float64), dropout) if dropout else None
    assert torch.autograd.gradcheck(lambda qkv: attend(qkv, keep_NPP), qkv_BP3HK)


@pytest.mark.parametrize("P", [9, 32])
def test_float32_is_as_near_to_float64_as_torchs_own_attention(P: int) -> None:
    exact_BP3HK = _qkv(16, P, 4, 8)
    upstream = torch.randn(16, P, 32, dtype=torch.float64)
    rough_BP3HK = exact_BP3HK.detach().float().requires_grad_()
    query, key, value = rough_BP3HK.permute(2, 0, 3, 1, 4)
    outputs = {
        "exact": (attend(exact_BP3HK), exact_BP3HK),
        "ours": (attend(rough_BP3HK), rough_BP3HK),
        "torch": (
            functional.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2),
            rough_BP3HK,
        ),
    }
    gradients = {
        name: torch.autograd.grad(out, leaf, upstream.to(out.dtype))[0].double()
        for name, (out, leaf) in outputs.items()
    }
    error = {name: float((gradients[name] - gradients["exact"]).abs().max()) for name in ("ours", "torch")}
    assert error["ours"] < max(3 * error["torch"], 1e-6)


def test_scores_of_any_size_neither_overflow_nor_vanish() -> None:
    qkv_BP3HK = (300 * _qkv(2, 9, 2, 4, torch.float32)).detach().requires_grad_()
    mixed = attend(qkv_BP3HK)
    mixed.sum().backward()
    assert mixed.isfinite().all() and qkv_BP3HK.grad is not None and qkv_BP3HK.grad.isfinite().all()
    torch.testing.assert_close(mixed, _written(qkv_BP3HK), rtol=1e-4, atol=1e-3)


def test_a_gradient_laid_out_otherwise_is_read_right() -> None:
    qkv_BP3HK = _qkv(2, 9, 2, 4)
    plain, spread = torch.ones(2, 9, 8, dtype=torch.float64), torch.ones(1, dtype=torch.float64).expand(2, 9, 8)
    first, second = (torch.autograd.grad(attend(qkv_BP3HK), qkv_BP3HK, each)[0] for each in (plain, spread))
    assert torch.equal(first, second)
