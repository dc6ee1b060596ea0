"""The pre-norm encoder block.

Shapes in names: B windows, P patches, D d_model, H heads, K width of a head.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.network.block_function import Settings, train_block
from model.network.dropout import Dropout, draws_by_hand
from model.network.scratch import Scratch
from model.network.small_attention import MOST_TOKENS
from model.spec.architecture import Architecture


class Block(nn.Module):
    """Attention, then feed-forward, each on a residual branch.

    Training on a CPU on few tokens takes :mod:`model.network.block_function`; everything else, and everything where
    ``plain`` is set, takes torch's own attention.
    """

    plain = False

    def __init__(self, architecture: Architecture, dropout: float, attention_dropout: float) -> None:
        super().__init__()
        d_model = architecture.d_model
        self.attention_dropout = attention_dropout
        self.n_heads = architecture.n_heads
        self.attention_norm = nn.LayerNorm(d_model)
        self.query_key_value = nn.Linear(d_model, 3 * d_model)
        self.attention_output = nn.Linear(d_model, d_model)
        self.feed_forward_norm = nn.LayerNorm(d_model)
        self.expand = nn.Linear(d_model, architecture.d_ff)
        self.contract = nn.Linear(architecture.d_ff, d_model)
        self.dropout = Dropout(dropout)

    def forward(self, tokens_BPD: Tensor, scratch: Scratch | None = None) -> Tensor:
        """Tokens in, tokens out, same shape.

        Parameters
        ----------
        tokens_BPD : Tensor
            Of the embedding, or of the block before.
        scratch : Scratch, optional
            Shared with the other blocks of a forward pass.
        """
        if self._is_written_down(tokens_BPD):
            return train_block(tokens_BPD, self._settings(), scratch or Scratch(), *self._weights())
        tokens_BPD = tokens_BPD + self.dropout(self._attend(self.attention_norm(tokens_BPD)))
        hidden = functional.gelu(self.expand(self.feed_forward_norm(tokens_BPD)))
        return tokens_BPD + self.dropout(self.contract(hidden))

    def _is_written_down(self, tokens_BPD: Tensor) -> bool:
        few = tokens_BPD.shape[1] <= MOST_TOKENS
        in_own_type = few and draws_by_hand(tokens_BPD) and not torch.is_autocast_enabled("cpu")
        return in_own_type and self.training and not self.plain

    def _settings(self) -> Settings:
        return Settings(self.n_heads, self.dropout.p, self.attention_dropout, self.attention_norm.eps)

    def _weights(self) -> Iterator[Tensor]:
        """Weights and biases in the order of their use."""
        attention = (self.attention_norm, self.query_key_value, self.attention_output)
        for layer in (*attention, self.feed_forward_norm, self.expand, self.contract):
            yield from (layer.weight, layer.bias)

    def _attend(self, tokens_BPD: Tensor) -> Tensor:
        B, P, D = tokens_BPD.shape
        qkv_BP3HK = self.query_key_value(tokens_BPD).view(B, P, 3, self.n_heads, D // self.n_heads)
        query_BHPK, key_BHPK, value_BHPK = qkv_BP3HK.permute(2, 0, 3, 1, 4)
        dropout = self.attention_dropout if self.training else 0.0
        mixed_BHPK = functional.scaled_dot_product_attention(query_BHPK, key_BHPK, value_BHPK, dropout_p=dropout)
        return self.attention_output(mixed_BHPK.transpose(1, 2).flatten(2))
