"""Attention among few tokens on a CPU: products and a softmax in the order that suits small score matrices.

``scaled_dot_product_attention`` tiles for long sequences; on score matrices of 9 × 9 it
takes as long as all matrix products of a narrow block.  Here the scores of all windows and heads
are transposed once, so that the softmax runs along thousands of them side by side, and the backward pass is written
down, so that nothing but queries, keys, values and weights is kept.

Shapes in names: B windows, P tokens, H heads, K width of a head, D = H·K, N = B·H, Q = P·P, R = B·P, X = 3·D.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

MOST_TOKENS = 32


class AttentionRoom:
    """What a forward pass leaves for its backward pass: queries, keys, values, weights and their dropout mask.

    Parameters
    ----------
    like : Tensor
        Of the type and on the device of the tokens.
    windows, tokens, n_heads, width : int
        Dimensions; the width is that of a head.

    Attributes
    ----------
    mixed_RD : Tensor of shape (windows * tokens, n_heads * width)
        Mixed values.
    keep_NPP : Tensor, optional
        Dropout mask of the weights, scaled.
    """

    def __init__(self, like: Tensor, windows: int, tokens: int, n_heads: int, width: int) -> None:
        B, P, H, K = windows, tokens, n_heads, width
        N = B * H
        qkv_3NPK = like.new_empty(3, N, P, K)
        self.qkv_3BHPK = qkv_3NPK.view(3, B, H, P, K)
        self.query_NPK, self.key_NPK, self.value_NPK = qkv_3NPK.unbind()
        self.key_NKP, self.value_NKP = self.key_NPK.mT, self.value_NPK.mT
        self.weights_NPP = like.new_empty(N, P, P)
        self.weights_NQ = self.weights_NPP.view(N, P * P)
        self.mixed_BPHK = like.new_empty(B, P, H, K)
        self.mixed_RD = self.mixed_BPHK.view(B * P, H * K)
        self.keep_NPP: Tensor | None = None


class SmallAttention:
    """Attention of one block after another, in memory and by views that are made once.

    Parameters
    ----------
    like : Tensor
        Of the type and on the device of the tokens.
    windows, tokens, n_heads, width : int
        Dimensions; the width is that of a head.

    Attributes
    ----------
    qkv_RX : Tensor of shape (windows * tokens, 3 * n_heads * width)
        Where queries, keys and values have to be before :meth:`forward`, and their gradients lie after
        :meth:`backward`.
    d_mixed_RD : Tensor of shape (windows * tokens, n_heads * width)
        Where the gradient of mixed values has to be before :meth:`backward`.

    Examples
    --------
    >>> attention = SmallAttention(torch.empty(0), windows=2, tokens=9, n_heads=4, width=8)
    >>> _ = attention.qkv_RX.normal_()
    >>> room = attention.room()
    >>> attention.forward(room)
    >>> room.mixed_RD.shape, room.weights_NPP.sum(-1).allclose(torch.ones(8, 9))
    (torch.Size([18, 32]), True)
    """

    def __init__(self, like: Tensor, *, windows: int, tokens: int, n_heads: int, width: int) -> None:
        self._like, self._sizes, self._scale = like, (windows, tokens, n_heads, width), 1 / math.sqrt(width)
        B, P, H, K = self._sizes
        N = B * H
        self.qkv_RX = like.new_empty(B * P, 3 * H * K)
        self._qkv_BP3HK = self.qkv_RX.view(B, P, 3, H, K)
        self._qkv_3BHPK = self._qkv_BP3HK.permute(2, 0, 3, 1, 4)
        self._scores_NPP = like.new_empty(N, P, P)
        self._scores_NPP_T = self._scores_NPP.mT
        self._scores_QN = self._scores_NPP.view(N, P * P).t()
        self._beside_PPN = like.new_empty(P, P, N)
        self._beside_QN = self._beside_PPN.view(P * P, N)
        self._softmax_PPN = self._scores_NPP.view(P, P, N)
        self._softmax_NQ = self._scores_NPP.view(P * P, N).t()
        self._mixed_NPK = like.new_empty(N, P, K)
        self._mixed_BHPK = self._mixed_NPK.view(B, H, P, K)
        self._mixed_BPHK = self._mixed_BHPK.transpose(1, 2)
        self.d_mixed_RD = like.new_empty(B * P, H * K)
        self._d_mixed_BHPK = self.d_mixed_RD.view(B, P, H, K).transpose(1, 2)
        d_qkv_3NPK = like.new_empty(3, N, P, K)
        self._d_query_NPK, self._d_key_NPK, self._d_value_NPK = d_qkv_3NPK.unbind()
        self._d_qkv_BP3HK = d_qkv_3NPK.view(3, B, H, P, K).permute(1, 3, 0, 2, 4)

    def room(self) -> AttentionRoom:
        """Memory for one forward pass and its backward pass."""
        return AttentionRoom(self._like, *self._sizes)

    def forward(self, room: AttentionRoom) -> None:
        """Mix values by the softmax of scaled products of queries and keys; fills the room, but for its mask."""
        scores_NPP, weights_NPP, keep_NPP = self._scores_NPP, room.weights_NPP, room.keep_NPP
        room.qkv_3BHPK.copy_(self._qkv_3BHPK)
        torch.baddbmm(scores_NPP, room.query_NPK, room.key_NKP, beta=0, alpha=self._scale, out=scores_NPP)
        self._softmax(room)
        used_NPP = weights_NPP if keep_NPP is None else torch.mul(weights_NPP, keep_NPP, out=scores_NPP)
        torch.bmm(used_NPP, room.value_NPK, out=self._mixed_NPK)
        room.mixed_BPHK.copy_(self._mixed_BPHK)

    def backward(self, room: AttentionRoom) -> None:
        """Gradients of queries, keys and values."""
        scores_NPP, weights_NPP, keep_NPP = self._scores_NPP, room.weights_NPP, room.keep_NPP
        d_mixed_NPK = self._mixed_NPK
        self._mixed_BHPK.copy_(self._d_mixed_BHPK)
        used_NPP = weights_NPP if keep_NPP is None else weights_NPP * keep_NPP
        torch.bmm(used_NPP.mT, d_mixed_NPK, out=self._d_value_NPK)
        torch.bmm(d_mixed_NPK, room.value_NKP, out=scores_NPP).mul_(used_NPP)
        scores_NPP.addcmul_(weights_NPP, scores_NPP.sum(-1, keepdim=True), value=-1)
        self._scaled_product(scores_NPP, room.key_NPK, self._d_query_NPK)
        self._scaled_product(self._scores_NPP_T, room.query_NPK, self._d_key_NPK)
        self._qkv_BP3HK.copy_(self._d_qkv_BP3HK)

    def _scaled_product(self, left: Tensor, right: Tensor, out: Tensor) -> None:
        torch.baddbmm(out, left, right, beta=0, alpha=self._scale, out=out)

    def _softmax(self, room: AttentionRoom) -> None:
        """Weights from scores, computed with windows and heads last: rows of P are too short to vectorise."""
        self._beside_QN.copy_(self._scores_QN)
        torch.softmax(self._beside_PPN, 1, out=self._softmax_PPN)
        room.weights_NQ.copy_(self._softmax_NQ)
