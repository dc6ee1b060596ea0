"""Training of blocks on a CPU, written down: forward and backward pass in memory that all of them share.

Every number is the one that autograd computes from the blocks' modules, to the last bit: the same operations on the
same operands.  What a step through hundreds of megabytes waits for is memory: what they give is written where the
last of its kind lay, in the processor's cache, unless it is kept, and what is quick to compute again is not kept.

Shapes in names: B windows, P tokens, D d_model, F d_ff, N windows times heads, R = B·P.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from model.network.dropout import Masks, draws_by_hand
from model.network.small_attention import MOST_TOKENS, SmallAttention

gelu: Callable[..., Tensor] = functional.gelu
linear: Callable[..., Tensor] = functional.linear
gelu_backward = torch.ops.aten.gelu_backward.grad_input
layer_norm_backward = torch.ops.aten.native_layer_norm_backward

WEIGHTS_OF_A_BLOCK = 12
IN_CACHE = 2**22
"""Bytes of a hidden layer up to which a copy of it stays in the cache of a processor, so that memory is read once."""


class Settings(NamedTuple):
    """What the blocks' weights don't say."""

    n_heads: int
    dropout: float
    attention_dropout: float
    epsilon: float
    recompute: bool = False


def trains_by_hand(tokens_BPD: Tensor) -> bool:
    """Whether :func:`train_blocks` serves tokens: on a CPU, few of them, in their own type."""
    few = tokens_BPD.shape[1] <= MOST_TOKENS
    return few and draws_by_hand(tokens_BPD) and not torch.is_autocast_enabled("cpu")


def train_blocks(tokens_BPD: Tensor, settings: Settings, *weights: Tensor) -> Tensor:
    """Tokens in, tokens out, same shape.

    Parameters
    ----------
    tokens_BPD : Tensor
        On a CPU, float32 or float64.
    settings : Settings
        Of every block.
    *weights : Tensor
        Of one block after another: weight and bias of norm, queries with keys and values, attention's output, norm,
        expansion, contraction.
    """
    return _TrainBlocks.apply(tokens_BPD, settings, *weights)


class _Room:
    """What a block's forward pass leaves for its backward pass."""

    def __init__(self, like_RD: Tensor, d_ff: int, attention: SmallAttention, *, masked: bool) -> None:
        self.attention = attention.room()
        self.keep_RD = torch.empty_like(like_RD) if masked else None
        self.ff_keep_RD = torch.empty_like(like_RD) if masked else None
        self.middle_RD = torch.empty_like(like_RD)
        self.hidden_RF = like_RD.new_empty(len(like_RD), d_ff)
        self.tokens_RD = self.normed_RD = self.ff_normed_RD = like_RD
        self.moments: list[Tensor] = []
        self.ff_moments: list[Tensor] = []


class _Again(NamedTuple):
    """What it takes to run a block's forward pass again."""

    tokens_RD: Tensor
    random_state: Tensor


class _Pass:
    """Both passes of one block after another, in memory and by views that are made once."""

    def __init__(self, tokens_BPD: Tensor, d_ff: int, settings: Settings) -> None:
        (B, P, D), H = tokens_BPD.shape, settings.n_heads
        self._shape, self._epsilon = [D], settings.epsilon
        self._attention = SmallAttention(tokens_BPD, windows=B, tokens=P, n_heads=H, width=D // H)
        self._branch_RD, self._d_normed_RD = (tokens_BPD.new_empty(B * P, D) for _ in range(2))
        self._hidden_RF, self._active_RF = (tokens_BPD.new_empty(B * P, d_ff) for _ in range(2))
        self._masks = Masks(self._branch_RD, settings.dropout) if settings.dropout else None
        rate = settings.attention_dropout
        self._attention_masks = Masks(tokens_BPD.new_empty(B * H, P, P), rate) if rate else None

    def room(self) -> _Room:
        return _Room(self._branch_RD, self._hidden_RF.shape[1], self._attention, masked=self._masks is not None)

    def forward(self, tokens_RD: Tensor, room: _Room, *weights: Tensor) -> Tensor:
        norm, norm_bias, qkv, qkv_bias, output, output_bias = weights[:6]
        ff_norm, ff_norm_bias, expand, expand_bias, contract, contract_bias = weights[6:]
        attention, branch_RD, room.tokens_RD = self._attention, self._branch_RD, tokens_RD

        room.normed_RD, *room.moments = self._normed(tokens_RD, norm, norm_bias)
        linear(room.normed_RD, qkv, qkv_bias, out=attention.qkv_RX)
        if self._attention_masks is not None:
            room.attention.keep_NPP = self._attention_masks.draw()
        attention.forward(room.attention)
        linear(room.attention.mixed_RD, output, output_bias, out=branch_RD)
        middle_RD = torch.add(tokens_RD, self._dropped(room.keep_RD), out=room.middle_RD)

        room.ff_normed_RD, *room.ff_moments = self._normed(middle_RD, ff_norm, ff_norm_bias)
        linear(room.ff_normed_RD, expand, expand_bias, out=room.hidden_RF)
        gelu(room.hidden_RF, out=self._active_RF)
        linear(self._active_RF, contract, contract_bias, out=branch_RD)
        return middle_RD + self._dropped(room.ff_keep_RD)

    def backward(self, d_out_RD: Tensor, room: _Room, *weights: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Gradients of the block's input and of its weights."""
        norm, norm_bias, qkv, _, output, _, ff_norm, ff_norm_bias, expand, _, contract, _ = weights
        attention, d_branch_RD, d_normed_RD = self._attention, self._branch_RD, self._d_normed_RD

        d_ff_branch_RD = _kept(d_out_RD, room.ff_keep_RD, d_branch_RD)
        d_hidden_RF, d_contract = self._through_gelu(d_ff_branch_RD, room.hidden_RF, contract)
        d_expand = _d_linear(d_hidden_RF, room.ff_normed_RD)
        torch.mm(d_hidden_RF, expand, out=d_normed_RD)
        d_middle_RD, *d_ff_norm = _d_norm(d_normed_RD, room.middle_RD, room.ff_moments, ff_norm, ff_norm_bias)
        d_middle_RD.add_(d_out_RD)

        d_attention_RD = _kept(d_middle_RD, room.keep_RD, d_branch_RD)
        d_output = _d_linear(d_attention_RD, room.attention.mixed_RD)
        torch.mm(d_attention_RD, output, out=attention.d_mixed_RD)
        attention.backward(room.attention)
        d_qkv = _d_linear(attention.qkv_RX, room.normed_RD)
        torch.mm(attention.qkv_RX, qkv, out=d_normed_RD)
        d_tokens_RD, *d_norm = _d_norm(d_normed_RD, room.tokens_RD, room.moments, norm, norm_bias)
        d_tokens_RD.add_(d_middle_RD)
        return d_tokens_RD, [*d_norm, *d_qkv, *d_output, *d_ff_norm, *d_expand, *d_contract]

    def _normed(self, x_RD: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return torch.native_layer_norm(x_RD, self._shape, weight, bias, self._epsilon)

    def _dropped(self, keep_RD: Tensor | None) -> Tensor:
        """Give what dropout leaves of a branch, with a new mask."""
        if self._masks is None or keep_RD is None:
            return self._branch_RD
        return torch.mul(self._branch_RD, self._masks.draw(keep_RD), out=self._branch_RD)

    def _through_gelu(
        self, d_branch_RD: Tensor, hidden_RF: Tensor, contract: Tensor
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Gradients of the hidden layer and of the contraction, with the activations computed once more."""
        d_hidden_RF = self._hidden_RF
        if hidden_RF.nbytes > IN_CACHE:
            d_contract = _d_linear(d_branch_RD, gelu(hidden_RF, out=d_hidden_RF))
            torch.mm(d_branch_RD, contract, out=d_hidden_RF)
            gelu_backward(d_hidden_RF, hidden_RF, grad_input=d_hidden_RF)
            return d_hidden_RF, d_contract
        torch.mm(d_branch_RD, contract, out=d_hidden_RF)
        fetched_RF = self._active_RF.copy_(hidden_RF)
        gelu_backward(d_hidden_RF, fetched_RF, grad_input=d_hidden_RF)
        return d_hidden_RF, _d_linear(d_branch_RD, gelu(fetched_RF, out=fetched_RF))


class _TrainBlocks(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, tokens_BPD: Tensor, settings: Settings, *weights: Tensor) -> Tensor:
        expand, firsts = weights[8], range(0, len(weights), WEIGHTS_OF_A_BLOCK)
        ctx.both = both = _Pass(tokens_BPD, len(expand), settings)
        rooms = [both.room()] * len(firsts) if settings.recompute else [both.room() for _ in firsts]
        ctx.room, ctx.kept = rooms[0] if settings.recompute else None, []
        out_RD = tokens_BPD.reshape(-1, tokens_BPD.shape[-1])
        for room, first in zip(rooms, firsts, strict=True):
            ctx.kept.append(_Again(out_RD, torch.get_rng_state()) if settings.recompute else room)
            out_RD = both.forward(out_RD, room, *weights[first : first + WEIGHTS_OF_A_BLOCK])
        ctx.save_for_backward(*weights)
        return out_RD.view(tokens_BPD.shape)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_out_BPD: Tensor) -> tuple[Tensor | None, ...]:
        both, weights, d_weights = ctx.both, ctx.saved_tensors, []
        if not ctx.kept:
            raise RuntimeError("blocks can be gone through backward once: what they kept is let go on the way")
        d_RD = d_out_BPD.reshape(-1, d_out_BPD.shape[-1])
        for first in range(len(weights) - WEIGHTS_OF_A_BLOCK, -1, -WEIGHTS_OF_A_BLOCK):
            of_block, kept = weights[first : first + WEIGHTS_OF_A_BLOCK], ctx.kept.pop()
            if isinstance(kept, _Again):
                with torch.random.fork_rng([]):
                    torch.set_rng_state(kept.random_state)
                    both.forward(kept.tokens_RD, ctx.room, *of_block)
                kept = ctx.room
            d_RD, d_block = both.backward(d_RD, kept, *of_block)
            d_weights.append(d_block)
        return d_RD.view(d_out_BPD.shape), None, *(each for d_block in reversed(d_weights) for each in d_block)


def _kept(x: Tensor, keep: Tensor | None, out: Tensor) -> Tensor:
    """Give what a dropout mask leaves."""
    return x if keep is None else torch.mul(x, keep, out=out)


def _d_linear(d_out: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """Gradients of a linear layer's weight and bias."""
    return torch.mm(d_out.t(), x), d_out.sum(0)


def _d_norm(d_out: Tensor, x: Tensor, moments: list[Tensor], weight: Tensor, bias: Tensor) -> list[Tensor]:
    """Gradients of a layer norm's input, weight and bias."""
    return list(layer_norm_backward(d_out, x, [x.shape[-1]], *moments, weight, bias, [True, True, True]))
