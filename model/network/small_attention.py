"""Attention among few tokens on a CPU: products and a softmax in the order that suits small score matrices.

``scaled_dot_product_attention`` tiles for long sequences; on score matrices of 9 × 9 it
takes as long as all matrix products of a narrow block.  Here the scores of all windows and heads
are transposed once, so that the softmax runs along thousands of them side by side, and the backward pass is written
down, so that nothing but queries, keys, values and weights is kept.

Shapes in names: B windows, P tokens, H heads, K width of a head, D = H·K, N = B·H.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from model.network.scratch import Scratch

MOST_TOKENS = 32


class Kept(NamedTuple):
    """What the backward pass needs: queries, keys and values by window and head, weights, and their dropout mask."""

    qkv_3NPK: Tensor
    weights_NPP: Tensor
    keep_NPP: Tensor | None


def attend(qkv_BP3HK: Tensor, keep_NPP: Tensor | None, scratch: Scratch) -> tuple[Tensor, Kept]:
    """Mix values by the softmax of scaled products of queries and keys, shape (windows, tokens, heads, width).

    Parameters
    ----------
    qkv_BP3HK : Tensor
        Queries, keys and values.
    keep_NPP : Tensor, optional
        Dropout mask of the weights, scaled.
    scratch : Scratch
        For what is not given back.
    """
    B, P, _, H, K = qkv_BP3HK.shape
    N = B * H
    qkv_3NPK = qkv_BP3HK.new_empty(3, N, P, K)
    qkv_3NPK.view(3, B, H, P, K).copy_(qkv_BP3HK.permute(2, 0, 3, 1, 4))
    query_NPK, key_NPK, value_NPK = qkv_3NPK.unbind()
    scores_NPP = scratch("scores", qkv_3NPK, N, P, P)
    torch.baddbmm(scores_NPP, query_NPK, key_NPK.mT, beta=0, alpha=1 / math.sqrt(K), out=scores_NPP)
    weights_NPP = _softmax(scores_NPP, scratch)
    used_NPP = weights_NPP if keep_NPP is None else torch.mul(weights_NPP, keep_NPP, out=scores_NPP)
    mixed_NPK = torch.bmm(used_NPP, value_NPK, out=scratch("mixed", qkv_3NPK, N, P, K))
    mixed_BPHK = qkv_3NPK.new_empty(B, P, H, K)
    mixed_BPHK.copy_(mixed_NPK.view(B, H, P, K).transpose(1, 2))
    return mixed_BPHK, Kept(qkv_3NPK, weights_NPP, keep_NPP)


def attend_backward(d_mixed_BPHK: Tensor, kept: Kept, scratch: Scratch) -> Tensor:
    """Gradient of queries, keys and values in scratch memory, shape (windows, tokens, 3, heads, width)."""
    qkv_3NPK, weights_NPP, keep_NPP = kept
    query_NPK, key_NPK, value_NPK = qkv_3NPK.unbind()
    B, P, H, K = d_mixed_BPHK.shape
    N, scale = B * H, 1 / math.sqrt(K)
    d_mixed_NPK = scratch("mixed", qkv_3NPK, N, P, K)
    d_mixed_NPK.view(B, H, P, K).copy_(d_mixed_BPHK.transpose(1, 2))
    d_qkv_3NPK = scratch("qkv by head", qkv_3NPK, 3, N, P, K)
    d_query_NPK, d_key_NPK, d_value_NPK = d_qkv_3NPK.unbind()
    used_NPP = weights_NPP
    if keep_NPP is not None:
        used_NPP = torch.mul(weights_NPP, keep_NPP, out=scratch("used", qkv_3NPK, N, P, P))
    torch.bmm(used_NPP.mT, d_mixed_NPK, out=d_value_NPK)
    products_NPP = torch.bmm(d_mixed_NPK, value_NPK.mT, out=scratch("scores", qkv_3NPK, N, P, P)).mul_(used_NPP)
    d_scores_NPP = products_NPP.addcmul_(weights_NPP, products_NPP.sum(-1, keepdim=True), value=-1)
    torch.baddbmm(d_query_NPK, d_scores_NPP, key_NPK, beta=0, alpha=scale, out=d_query_NPK)
    torch.baddbmm(d_key_NPK, d_scores_NPP.mT, query_NPK, beta=0, alpha=scale, out=d_key_NPK)
    d_qkv_BP3HK = scratch("qkv", qkv_3NPK, B, P, 3, H, K)
    return d_qkv_BP3HK.copy_(d_qkv_3NPK.view(3, B, H, P, K).permute(1, 3, 0, 2, 4))


def _softmax(scores_NPP: Tensor, scratch: Scratch) -> Tensor:
    """Softmax over the last dimension, computed with windows and heads last: rows of P are too short to vectorise."""
    N, P, _ = scores_NPP.shape
    beside_PPN = scratch("beside", scores_NPP, P, P, N)
    beside_PPN.view(P * P, N).copy_(scores_NPP.view(N, P * P).t())
    torch.softmax(beside_PPN, 1, out=scores_NPP.view(P, P, N))
    weights_NPP = scores_NPP.new_empty(N, P, P)
    weights_NPP.view(N, P * P).copy_(scores_NPP.view(P * P, N).t())
    return weights_NPP
