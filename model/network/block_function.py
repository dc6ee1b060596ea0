"""A block's training on a CPU, written down: forward and backward pass in memory that all blocks share.

Every number is the one that autograd computes from the block's modules, to the last bit: the same operations on the
same operands.  What they give goes into scratch memory where nothing has to be kept.

Shapes in names: B windows, P tokens, D d_model, F d_ff, H heads, K width of a head, R = B·P, N = B·H.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from model.network.dropout import keep_mask
from model.network.scratch import Scratch
from model.network.small_attention import Kept, attend, attend_backward


class Settings(NamedTuple):
    """What a block's weights don't say."""

    n_heads: int
    dropout: float
    attention_dropout: float
    epsilon: float


def train_block(tokens_BPD: Tensor, settings: Settings, scratch: Scratch, *weights: Tensor) -> Tensor:
    """Tokens in, tokens out, same shape.

    Parameters
    ----------
    tokens_BPD : Tensor
        On a CPU, float32 or float64.
    settings : Settings
        Of the block.
    scratch : Scratch
        Shared by the blocks of a forward pass.
    *weights : Tensor
        Weight and bias of norm, queries with keys and values, attention's output, norm, expansion, contraction.
    """
    return _TrainBlock.apply(tokens_BPD, settings, scratch, *weights)


class _TrainBlock(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, tokens_BPD: Tensor, settings: Settings, scratch: Scratch, *weights: Tensor) -> Tensor:
        norm, norm_bias, qkv, qkv_bias, output, output_bias = weights[:6]
        ff_norm, ff_norm_bias, expand, expand_bias, contract, contract_bias = weights[6:]
        H, rate, attention_rate, epsilon = settings
        B, P, D = tokens_BPD.shape
        tokens_RD = tokens_BPD.reshape(-1, D)

        normed_RD, *moments = torch.native_layer_norm(tokens_RD, [D], norm, norm_bias, epsilon)
        qkv_RD = torch.addmm(qkv_bias, normed_RD, qkv.t(), out=scratch("qkv", normed_RD, B * P, 3 * D))
        keep_NPP = keep_mask(qkv_RD.new_empty(B * H, P, P), attention_rate) if attention_rate else None
        mixed_BPHK, attended = attend(qkv_RD.view(B, P, 3, H, D // H), keep_NPP, scratch)
        mixed_RD = mixed_BPHK.view(-1, D)
        branch_RD = torch.addmm(output_bias, mixed_RD, output.t(), out=scratch("branch", normed_RD, B * P, D))
        keep_RD = keep_mask(branch_RD, rate) if rate else None
        middle_RD = tokens_RD + _kept(branch_RD, keep_RD, branch_RD)

        ff_normed_RD, *ff_moments = torch.native_layer_norm(middle_RD, [D], ff_norm, ff_norm_bias, epsilon)
        hidden_RF = torch.addmm(expand_bias, ff_normed_RD, expand.t())
        active_RF = torch.nn.functional.gelu(hidden_RF)
        torch.addmm(contract_bias, active_RF, contract.t(), out=branch_RD)
        ff_keep_RD = keep_mask(branch_RD, rate) if rate else None
        out_RD = middle_RD + _kept(branch_RD, ff_keep_RD, branch_RD)

        ctx.n_heads, ctx.scratch = H, scratch
        ctx.save_for_backward(
            *weights,
            *(tokens_RD, *moments, normed_RD, *attended, mixed_RD, keep_RD),
            *(middle_RD, *ff_moments, ff_normed_RD, hidden_RF, active_RF, ff_keep_RD),
        )
        return out_RD.view(B, P, D)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_out_BPD: Tensor) -> tuple[Tensor | None, ...]:
        saved = ctx.saved_tensors  # where blocks are recomputed this runs the forward pass, in the same scratch memory
        norm, norm_bias, qkv, _, output, _, ff_norm, ff_norm_bias, expand, _, contract, _ = saved[:12]
        tokens_RD, mean, rstd, normed_RD, qkv_3NPK, weights_NPP, keep_NPP, mixed_RD, keep_RD = saved[12:21]
        middle_RD, ff_mean, ff_rstd, ff_normed_RD, hidden_RF, active_RF, ff_keep_RD = saved[21:]
        scratch, (B, P, D) = ctx.scratch, d_out_BPD.shape
        d_out_RD = d_out_BPD.reshape(-1, D)
        d_branch_RD, d_normed_RD = (scratch(name, tokens_RD, B * P, D) for name in ("branch", "normed"))

        d_ff_branch_RD = _kept(d_out_RD, ff_keep_RD, d_branch_RD)
        d_hidden_RF = torch.mm(d_ff_branch_RD, contract, out=scratch("hidden", tokens_RD, *hidden_RF.shape))
        torch.ops.aten.gelu_backward.grad_input(d_hidden_RF, hidden_RF, grad_input=d_hidden_RF)
        d_contract = _d_linear(d_ff_branch_RD, active_RF)
        d_expand = _d_linear(d_hidden_RF, ff_normed_RD)
        torch.mm(d_hidden_RF, expand, out=d_normed_RD)
        d_middle_RD, *d_ff_norm = _d_norm(d_normed_RD, middle_RD, ff_mean, ff_rstd, ff_norm, ff_norm_bias)
        d_middle_RD.add_(d_out_RD)

        d_attention_RD = _kept(d_middle_RD, keep_RD, d_branch_RD)
        d_output = _d_linear(d_attention_RD, mixed_RD)
        d_mixed_RD = torch.mm(d_attention_RD, output, out=d_normed_RD)
        kept = Kept(qkv_3NPK, weights_NPP, keep_NPP)
        d_qkv_RD = attend_backward(d_mixed_RD.view(B, P, ctx.n_heads, -1), kept, scratch).view(B * P, 3 * D)
        d_qkv = _d_linear(d_qkv_RD, normed_RD)
        torch.mm(d_qkv_RD, qkv, out=d_normed_RD)
        d_tokens_RD, *d_norm = _d_norm(d_normed_RD, tokens_RD, mean, rstd, norm, norm_bias)
        d_tokens_BPD = d_tokens_RD.add_(d_middle_RD).view(B, P, D)
        return d_tokens_BPD, None, None, *d_norm, *d_qkv, *d_output, *d_ff_norm, *d_expand, *d_contract


def _kept(x: Tensor, keep: Tensor | None, out: Tensor) -> Tensor:
    """Give what a dropout mask leaves."""
    return x if keep is None else torch.mul(x, keep, out=out)


def _d_linear(d_out: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """Gradients of a linear layer's weight and bias."""
    return torch.mm(d_out.t(), x), d_out.sum(0)


def _d_norm(d_out: Tensor, x: Tensor, mean: Tensor, rstd: Tensor, weight: Tensor, bias: Tensor) -> list[Tensor]:
    """Gradients of a layer norm's input, weight and bias."""
    backward = torch.ops.aten.native_layer_norm_backward
    return list(backward(d_out, x, [x.shape[-1]], mean, rstd, weight, bias, [True, True, True]))
