"""The block that is written down gives the bits of its modules under autograd, which the code of before ran.

Left out are heads of width one, where a tensor of one window or one head has two layouts and products round by them.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from model.network import block_function as module
from model.network.block import Block
from model.network.dropout import keep_mask
from model.network.patchtst import PatchTST
from model.spec.architecture import Architecture


class _Attention(torch.autograd.Function):
    """Attention of the code of before, every tensor in memory of its own."""

    @staticmethod
    def forward(ctx: Any, qkv_BP3HK: Tensor, keep_NPP: Tensor | None) -> Tensor:
        B, P, _, H, K = qkv_BP3HK.shape
        qkv_3NPK = qkv_BP3HK.permute(2, 0, 3, 1, 4).reshape(3, B * H, P, K)
        query_NPK, key_NPK, value_NPK = qkv_3NPK.unbind()
        scores_NPP = torch.baddbmm(qkv_3NPK.new_empty(1), query_NPK, key_NPK.mT, beta=0, alpha=1 / math.sqrt(K))
        beside_PPN = scores_NPP.view(B * H, P * P).t().contiguous().view(P, P, B * H)
        weights_NPP = beside_PPN.softmax(1).view(P * P, B * H).t().contiguous().view(B * H, P, P)
        ctx.save_for_backward(qkv_3NPK, weights_NPP, keep_NPP)
        mixed_NPK = torch.bmm(weights_NPP if keep_NPP is None else weights_NPP * keep_NPP, value_NPK)
        return mixed_NPK.view(B, H, P, K).transpose(1, 2).reshape(B, P, H * K)

    @staticmethod
    def backward(ctx: Any, d_mixed_BPD: Tensor) -> tuple[Tensor, None]:
        qkv_3NPK, weights_NPP, keep_NPP = ctx.saved_tensors
        query_NPK, key_NPK, value_NPK = qkv_3NPK.unbind()
        N, P, K = query_NPK.shape
        B = len(d_mixed_BPD)
        d_mixed_NPK = d_mixed_BPD.reshape(B, P, N // B, K).transpose(1, 2).reshape(N, P, K)
        used_NPP = weights_NPP if keep_NPP is None else weights_NPP * keep_NPP
        d_value_NPK = torch.bmm(used_NPP.mT, d_mixed_NPK)
        products_NPP = torch.bmm(d_mixed_NPK, value_NPK.mT) * used_NPP
        d_scores_NPP = products_NPP.addcmul(weights_NPP, products_NPP.sum(-1, keepdim=True), value=-1)
        d_query_NPK = torch.baddbmm(d_value_NPK, d_scores_NPP, key_NPK, beta=0, alpha=1 / math.sqrt(K))
        d_key_NPK = torch.baddbmm(d_value_NPK, d_scores_NPP.mT, query_NPK, beta=0, alpha=1 / math.sqrt(K))
        d_qkv_3NPK = torch.stack([d_query_NPK, d_key_NPK, d_value_NPK])
        return d_qkv_3NPK.view(3, B, N // B, P, K).permute(1, 3, 0, 2, 4), None


def _module_by_module(block: Block, tokens_BPD: Tensor) -> Tensor:
    B, P, D = tokens_BPD.shape
    H, rate = block.n_heads, block.attention_dropout
    qkv_BP3HK = block.query_key_value(block.attention_norm(tokens_BPD)).view(B, P, 3, H, D // H)
    keep_NPP = keep_mask(qkv_BP3HK.new_empty(B * H, P, P), rate) if rate else None
    mixed_BPD = _Attention.apply(qkv_BP3HK, keep_NPP)
    tokens_BPD = tokens_BPD + block.dropout(block.attention_output(mixed_BPD))
    hidden = functional.gelu(block.expand(block.feed_forward_norm(tokens_BPD)))
    return tokens_BPD + block.dropout(block.contract(hidden))


def _bits(model: PatchTST, x_BTF: Tensor, micro_batch: int, run: Callable[..., Tensor] | None) -> list[Tensor]:
    """Losses, gradients and weights of three steps, and the state of the random numbers after them."""
    torch.manual_seed(7)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    held: list[Tensor] = []
    with pytest.MonkeyPatch.context() as patch:
        if run is not None:
            patch.setattr(Block, "is_written_down", lambda self, tokens_BPD: False)
            patch.setattr(Block, "forward", run)
        for _ in range(3):
            optimizer.zero_grad()
            for part_BTF in x_BTF.split(micro_batch):
                loss = functional.softplus(model(part_BTF)).sum()
                loss.backward()
                held.append(loss.detach())
            held += [parameter.grad.clone() for parameter in model.parameters() if parameter.grad is not None]
            optimizer.step()
    return [*held, *(parameter.detach().clone() for parameter in model.parameters()), torch.get_rng_state()]


def _model(heads: int, width: int, tokens: int, layers: int, dropout: float, attention_dropout: float) -> PatchTST:
    torch.manual_seed(0)
    architecture = Architecture(
        n_features=3,
        context_length=5 * tokens + 5,
        patch_length=10,
        stride=5,
        d_model=heads * width,
        n_layers=layers,
        n_heads=heads,
        d_ff=2 * heads * width + 3,
    )
    model = PatchTST(architecture, dropout, attention_dropout)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.3)
    return model


@settings(max_examples=40, deadline=None)
@given(
    heads=st.integers(1, 5),
    width=st.integers(2, 9),
    tokens=st.integers(1, 12),
    windows=st.integers(1, 9),
    micro_batch=st.integers(1, 9),
    layers=st.integers(1, 3),
    dropout=st.sampled_from([0.0, 0.1, 0.5]),
    attention_dropout=st.sampled_from([0.0, 0.3]),
    recompute=st.booleans(),
    in_cache=st.booleans(),
)
def test_losses_gradients_and_weights_are_those_of_the_modules_to_the_last_bit(
    heads: int,
    width: int,
    tokens: int,
    windows: int,
    micro_batch: int,
    layers: int,
    dropout: float,
    attention_dropout: float,
    recompute: bool,
    in_cache: bool,
) -> None:
    x_BTF = torch.randn(windows, 5 * tokens + 5, 3, generator=torch.Generator().manual_seed(windows))
    ours, theirs = (_model(heads, width, tokens, layers, dropout, attention_dropout) for _ in range(2))
    ours.set_execution(recompute=recompute)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "IN_CACHE", 2**40 if in_cache else 0)
        found = _bits(ours, x_BTF, micro_batch, None)
    expected = _bits(theirs, x_BTF, micro_batch, _module_by_module)
    assert all(torch.equal(got, wanted) for got, wanted in zip(found, expected, strict=True))


@pytest.mark.parametrize("heads, width, windows", [(8, 8, 128), (1, 64, 128), (8, 16, 100), (2, 96, 37), (4, 128, 128)])
def test_bits_are_those_of_the_modules_at_sizes_that_are_trained(heads: int, width: int, windows: int) -> None:
    x_BTF = torch.randn(windows, 50, 3, generator=torch.Generator().manual_seed(1))
    found, expected = (
        _bits(_model(heads, width, 9, 2, 0.1, 0.1), x_BTF, windows, run) for run in (None, _module_by_module)
    )
    assert all(torch.equal(got, wanted) for got, wanted in zip(found, expected, strict=True))


def test_passes_that_lie_inside_each_other_share_no_memory() -> None:
    model = _model(4, 4, 5, 2, 0.0, 0.0)
    one_BTF, other_BTF = (torch.randn(3, 30, 3, generator=torch.Generator().manual_seed(seed)) for seed in (1, 2))

    def gradients(*losses: Tensor) -> list[Tensor]:
        model.zero_grad()
        for loss in losses:
            loss.backward()
        return [parameter.grad.clone() for parameter in model.parameters() if parameter.grad is not None]

    apart = [gradients(model(x_BTF).sum()) for x_BTF in (one_BTF, other_BTF)]
    outer, inner = model(one_BTF).sum(), model(other_BTF).sum()
    together = gradients(inner, outer)
    assert all(torch.equal(both, one + other) for both, one, other in zip(together, *apart, strict=True))


def _kept(recompute: bool) -> tuple[Tensor, Any]:
    model = _model(4, 4, 5, 3, 0.2, 0.2)
    model.set_execution(recompute=recompute)
    tokens_BPD = model._encode(torch.randn(3, 30, 3))
    return tokens_BPD, tokens_BPD.grad_fn


def test_what_is_kept_of_a_block_is_let_go_when_its_backward_pass_is_done() -> None:
    tokens_BPD, passes = _kept(recompute=False)
    rooms = [weakref.ref(room) for room in passes.kept]
    left: list[int] = []
    backward = passes.both.backward

    def counted(*arguments: Any) -> Any:
        left.append(sum(room() is not None for room in rooms))
        return backward(*arguments)

    passes.both.backward = counted
    tokens_BPD.sum().backward()
    assert left == [3, 2, 1] and not any(room() is not None for room in rooms)


def test_recomputed_blocks_keep_their_inputs_only() -> None:
    _, passes = _kept(recompute=True)
    assert [type(kept) for kept in passes.kept] == [module._Again] * 3
    shapes = [kept.tokens_RD.shape for kept in passes.kept]
    assert shapes == [(15, 16)] * 3


def test_a_second_backward_pass_is_refused() -> None:
    model = _model(2, 4, 5, 2, 0.1, 0.0)
    loss = model(torch.randn(3, 30, 3)).sum()
    loss.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="once"):
        loss.backward()
