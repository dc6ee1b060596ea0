"""Attention among few tokens on a CPU: products and a softmax in the order that suits small score matrices.

``scaled_dot_product_attention`` tiles for long sequences; on score matrices of 9 × 9 it
takes as long as all matrix products of a narrow block.  Here the scores of all windows and heads
are transposed once, so that the softmax runs along thousands of them side by side, and the backward pass is written
down, so that nothing but queries, keys, values and weights is kept.

Shapes in names: B windows, P tokens, H heads, K width of a head, N = B·H.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

MOST_TOKENS = 32


def attend(qkv_BP3HK: Tensor, keep_NPP: Tensor | None = None) -> Tensor:
    """Mix values by the softmax of scaled products of queries and keys, shape (windows, tokens, heads · width).

    Parameters
    ----------
    qkv_BP3HK : Tensor
        Queries, keys and values.
    keep_NPP : Tensor, optional
        Dropout mask of the weights, scaled.
    """
    return _Attention.apply(qkv_BP3HK, keep_NPP)


class _Attention(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, qkv_BP3HK: Tensor, keep_NPP: Tensor | None) -> Tensor:
        B, P, _, H, K = qkv_BP3HK.shape
        qkv_3NPK = qkv_BP3HK.permute(2, 0, 3, 1, 4).reshape(3, B * H, P, K)
        query_NPK, key_NPK, value_NPK = qkv_3NPK.unbind()
        scores_NPP = torch.baddbmm(qkv_3NPK.new_empty(1), query_NPK, key_NPK.mT, beta=0, alpha=1 / math.sqrt(K))
        weights_NPP = _softmax(scores_NPP)
        ctx.save_for_backward(qkv_3NPK, weights_NPP, keep_NPP)
        mixed_NPK = torch.bmm(weights_NPP if keep_NPP is None else weights_NPP * keep_NPP, value_NPK)
        return mixed_NPK.view(B, H, P, K).transpose(1, 2).reshape(B, P, H * K)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_mixed_BPD: Tensor) -> tuple[Tensor, None]:
        qkv_3NPK, weights_NPP, keep_NPP = ctx.saved_tensors
        query_NPK, key_NPK, value_NPK = qkv_3NPK.unbind()
        N, P, K = query_NPK.shape
        B = len(d_mixed_BPD)
        d_mixed_NPK = d_mixed_BPD.reshape(B, P, N // B, K).transpose(1, 2).reshape(N, P, K)
        d_qkv_3NPK = qkv_3NPK.new_empty(qkv_3NPK.shape)
        d_query_NPK, d_key_NPK, d_value_NPK = d_qkv_3NPK.unbind()
        used_NPP = weights_NPP if keep_NPP is None else weights_NPP * keep_NPP
        torch.bmm(used_NPP.mT, d_mixed_NPK, out=d_value_NPK)
        products_NPP = torch.bmm(d_mixed_NPK, value_NPK.mT).mul_(used_NPP)
        d_scores_NPP = products_NPP.addcmul_(weights_NPP, products_NPP.sum(-1, keepdim=True), value=-1)
        scale = 1 / math.sqrt(K)
        torch.baddbmm(d_query_NPK, d_scores_NPP, key_NPK, beta=0, alpha=scale, out=d_query_NPK)
        torch.baddbmm(d_key_NPK, d_scores_NPP.mT, query_NPK, beta=0, alpha=scale, out=d_key_NPK)
        return d_qkv_3NPK.view(3, B, N // B, P, K).permute(1, 3, 0, 2, 4), None


def _softmax(scores_NPP: Tensor) -> Tensor:
    """Softmax over the last dimension, computed with windows and heads last: rows of P are too short to vectorise."""
    N, P, _ = scores_NPP.shape
    beside_PPN = scores_NPP.view(N, P * P).t().contiguous().view(P, P, N)
    return beside_PPN.softmax(1).view(P * P, N).t().contiguous().view(N, P, P)
