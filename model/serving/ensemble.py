"""Ensemble: the forward pass of several models of one architecture at once, for forecasts of few windows.

For one window the time of a deep, narrow model goes into the number of operations, not into their
size. So the weights of all members are stacked, each product is made for all of them in
one call, and the modules are left out of the way. The logits are those of the members, to rounding.

Shapes in names: M members, B windows, T days, F features, N = B·P tokens, P patches, D d_model, H heads,
K width of a head, O outputs of a linear layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.network.block import Block
from model.network.forecast import Forecast
from model.network.patchtst import PatchTST
from model.network.question import Question
from pipeline.exceptions import InputError

AFFINE = ("attention_norm", "query_key_value", "attention_output", "feed_forward_norm", "expand", "contract")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Affine:
    """Weights and biases of one layer of every member."""

    weight: Tensor
    bias_M1O: Tensor

    @classmethod
    def of(cls, layers: Sequence[nn.Linear | nn.LayerNorm]) -> _Affine:
        weight = torch.stack([layer.weight.detach() for layer in layers])
        turned = weight.transpose(1, 2).contiguous() if weight.ndim == 3 else weight[:, None]
        return cls(weight=turned, bias_M1O=torch.stack([layer.bias.detach() for layer in layers])[:, None])

    def linear(self, x_MND: Tensor) -> Tensor:
        return torch.baddbmm(self.bias_M1O, x_MND, self.weight)

    def norm(self, x_MND: Tensor, epsilon: float) -> Tensor:
        return torch.addcmul(self.bias_M1O, functional.layer_norm(x_MND, x_MND.shape[-1:], eps=epsilon), self.weight)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Blocks:
    """One block of every member."""

    attention_norm: _Affine
    query_key_value: _Affine
    attention_output: _Affine
    feed_forward_norm: _Affine
    expand: _Affine
    contract: _Affine
    n_heads: int
    epsilon: float

    @classmethod
    def of(cls, blocks: Sequence[Block]) -> _Blocks:
        layers = {name: _Affine.of([getattr(block, name) for block in blocks]) for name in AFFINE}
        return cls(**layers, n_heads=blocks[0].n_heads, epsilon=blocks[0].attention_norm.eps)

    def __call__(self, tokens_MND: Tensor, n_patches: int) -> Tensor:
        M, N, D = tokens_MND.shape
        qkv_MNO = self.query_key_value.linear(self.attention_norm.norm(tokens_MND, self.epsilon))
        heads = qkv_MNO.view(M * N // n_patches, n_patches, 3, self.n_heads, D // self.n_heads)
        mixed_HPK = functional.scaled_dot_product_attention(*heads.permute(2, 0, 3, 1, 4))
        mixed_MND = mixed_HPK.transpose(1, 2).reshape(M, N, D)
        tokens_MND = tokens_MND + self.attention_output.linear(mixed_MND)
        hidden = functional.gelu(self.expand.linear(self.feed_forward_norm.norm(tokens_MND, self.epsilon)))
        return tokens_MND + self.contract.linear(hidden)


class Ensemble:
    """Models of one architecture, for forecasts only.

    Parameters
    ----------
    members : sequence of PatchTST
        On the CPU; their weights are copied.

    Raises
    ------
    InputError
        If there are none, or their architectures differ.

    Examples
    --------
    >>> from model.spec.architecture import Architecture
    >>> tiny = Architecture(n_features=3, d_model=8, n_layers=1, n_heads=2, d_ff=16)
    >>> Ensemble([PatchTST(tiny), PatchTST(tiny)])(torch.zeros(4, 60, 3)).shape
    torch.Size([2, 4])
    """

    def __init__(self, members: Sequence[PatchTST]) -> None:
        if len({member.architecture for member in members}) != 1:
            raise InputError(
                f"an ensemble must have members of one architecture, got {len(members)} of several or none"
            )
        self.members = tuple(member.eval() for member in members)
        self._layers = [_Blocks.of(blocks) for blocks in zip(*(member.blocks for member in members), strict=True)]

    @torch.inference_mode()
    def __call__(self, x_BTF: Tensor, question: Question | None = None) -> Tensor:
        """Logits of shape (members, windows) from raw features, as of :class:`model.network.patchtst.PatchTST`.

        Parameters
        ----------
        x_BTF : Tensor of shape (windows, days, features)
            Raw features.
        question : Question, optional
            What distributions are asked; the study's own if not given.
        """
        tokens_MBPD = self._encode(x_BTF)
        return torch.stack(
            [
                m.read_out(tokens_BPD, x_BTF, question=question)
                for m, tokens_BPD in zip(self.members, tokens_MBPD, strict=True)
            ]
        )

    @torch.inference_mode()
    def forecasts(self, x_BTF: Tensor) -> list[Forecast]:
        """Give what each member says, of an architecture whose head is a distribution."""
        return [m.forecast(tokens, x_BTF) for m, tokens in zip(self.members, self._encode(x_BTF), strict=True)]

    def _encode(self, x_BTF: Tensor) -> Tensor:
        """Tokens after the blocks, shape (members, windows, tokens, d_model)."""
        embedded_MBPD = torch.stack([member.embed(x_BTF) for member in self.members])
        M, B, P, D = embedded_MBPD.shape
        tokens_MND = embedded_MBPD.view(M, B * P, D)
        for layer in self._layers:
            tokens_MND = layer(tokens_MND, P)
        return tokens_MND.view(M, B, P, D)
