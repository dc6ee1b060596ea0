"""The pre-norm encoder block.

Shapes in names: B windows, P patches, D d_model, H heads, K width of a head, N = B·H.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from model.network import small_attention as few_tokens
from model.network.dropout import Dropout, draws_by_hand, keep_mask
from model.spec.architecture import Architecture


class Block(nn.Module):
    """Attention, then feed-forward, each on a residual branch.

    Training on a CPU takes the attention of :mod:`model.network.small_attention`; everything else, and
    everything where ``plain`` is set, takes torch's own.
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
        tokens_BPD = tokens_BPD + self.dropout(self._attend(self.attention_norm(tokens_BPD)))
        hidden = functional.gelu(self.expand(self.feed_forward_norm(tokens_BPD)))
        return tokens_BPD + self.dropout(self.contract(hidden))

    def _attend(self, tokens_BPD: Tensor) -> Tensor:
        B, P, D = tokens_BPD.shape
        qkv_BP3HK = self.query_key_value(tokens_BPD).view(B, P, 3, self.n_heads, D // self.n_heads)
        return self.attention_output(self._mix_few(qkv_BP3HK) if self._is_few(qkv_BP3HK) else self._mix(qkv_BP3HK))

    def _is_few(self, qkv_BP3HK: Tensor) -> bool:
        few = qkv_BP3HK.shape[1] <= few_tokens.MOST_TOKENS
        return few and self.training and not self.plain and draws_by_hand(qkv_BP3HK)

    def _mix_few(self, qkv_BP3HK: Tensor) -> Tensor:
        B, P, _, H, _ = qkv_BP3HK.shape
        if self.attention_dropout == 0:
            return few_tokens.attend(qkv_BP3HK)
        return few_tokens.attend(qkv_BP3HK, keep_mask(qkv_BP3HK.new_empty(B * H, P, P), self.attention_dropout))

    def _mix(self, qkv_BP3HK: Tensor) -> Tensor:
        query_BHPK, key_BHPK, value_BHPK = qkv_BP3HK.permute(2, 0, 3, 1, 4)
        dropout = self.attention_dropout if self.training else 0.0
        mixed_BHPK = functional.scaled_dot_product_attention(query_BHPK, key_BHPK, value_BHPK, dropout_p=dropout)
        return mixed_BHPK.transpose(1, 2).flatten(2)
