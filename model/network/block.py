"""The pre-norm encoder block.

Shapes in names: B windows, P patches, D d_model, H heads, K width of a head.
"""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor, nn
from torch.nn import functional

from model.network.block_function import Settings, train_blocks, trains_by_hand
from model.network.dropout import Dropout
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

    def forward(self, tokens_BPD: Tensor) -> Tensor:
        """Tokens in, tokens out, same shape."""
        if self.is_written_down(tokens_BPD):
            return train_blocks(tokens_BPD, self.settings(), *self.weights())
        tokens_BPD = tokens_BPD + self.dropout(self._attend(self.attention_norm(tokens_BPD)))
        hidden = functional.gelu(self.expand(self.feed_forward_norm(tokens_BPD)))
        return tokens_BPD + self.dropout(self.contract(hidden))

    def is_written_down(self, tokens_BPD: Tensor) -> bool:
        """Whether its training takes :mod:`model.network.block_function`."""
        return self.training and not self.plain and trains_by_hand(tokens_BPD)

    def settings(self) -> Settings:
        """Give what its weights don't say."""
        return Settings(self.n_heads, self.dropout.p, self.attention_dropout, self.attention_norm.eps)

    def weights(self) -> Iterator[Tensor]:
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
