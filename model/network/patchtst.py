"""PatchTST: channel-mixing patches, pre-norm encoder, flatten head, logits.

After Nie et al., "A Time Series is Worth 64 Words" (ICLR 2023), with channels
mixed inside a patch instead of kept apart, and one logit instead of a forecast.

Shapes in names: B windows, T days of context, F features, P patches, L days in
a patch, D d_model.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from model.network.base_logit import BaseLogit, make_base_logit
from model.network.block import Block
from model.network.dropout import Dropout
from model.spec.architecture import Architecture
from model.spec.spec import Spec

STANDARD_DEVIATIONS_KEPT = 10.0
INITIAL_STD = 0.02
EPSILON = 1e-5


class PatchTST(nn.Module):
    """From a window of raw features to one logit.

    Features are standardised inside the model with statistics of the training
    rows (:meth:`set_statistics`), which are buffers and so part of every checkpoint.

    Parameters
    ----------
    architecture : Architecture
        The dimensions.
    dropout : float
        Of the embedding and both residual branches.
    attention_dropout : float
        Of the attention weights.
    base_logit : LogisticBaseLogit or BoostedBaseLogit, optional
        Frozen part of the logit; the head then starts at zero.  Checkpoints hold it as ``offset``, as the spec does.

    Examples
    --------
    >>> tiny = Architecture(n_features=3, d_model=8, n_layers=1, n_heads=2, d_ff=16)
    >>> PatchTST(tiny)(torch.zeros(4, 60, 3)).shape
    torch.Size([4])
    """

    feature_mean: Tensor
    feature_std: Tensor

    def __init__(
        self,
        architecture: Architecture,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        base_logit: BaseLogit | None = None,
    ) -> None:
        super().__init__()
        self.architecture = architecture
        d_model, n_patches = architecture.d_model, architecture.n_patches
        self.register_buffer("feature_mean", torch.zeros(architecture.n_features))
        self.register_buffer("feature_std", torch.ones(architecture.n_features))
        self.embedding = nn.Linear(architecture.patch_length * architecture.n_features, d_model)
        self.positions = nn.Parameter(torch.empty(n_patches, d_model))
        self.dropout = Dropout(dropout)
        self.blocks = nn.ModuleList(
            Block(architecture, dropout, attention_dropout) for _ in range(architecture.n_layers)
        )
        self.norm = nn.LayerNorm(d_model)
        self.head = nn.Linear(n_patches * d_model, 1)
        self.offset = base_logit
        self._recompute = False
        self._initialise()

    def set_execution(self, *, recompute: bool = False, compiled: bool = False, plain: bool = False) -> None:
        """Choose how training is computed.

        Parameters
        ----------
        recompute : bool
            Blocks keep their input only and run again for the backward pass (Chen et al., 2016).
        compiled : bool
            Blocks are compiled.
        plain : bool
            Attention and dropout are torch's own on a CPU too, as they are on a GPU and where blocks are compiled.
        """
        self._recompute = recompute
        for module in self.modules():
            if isinstance(module, Block | Dropout):
                module.plain = plain or compiled
        if compiled:
            for block in self.blocks:
                block.compile(dynamic=False)

    def forward(self, x_BTF: Tensor, base_logit_B: Tensor | None = None) -> Tensor:
        """Logits of shape (windows,).

        Parameters
        ----------
        x_BTF : Tensor of shape (windows, days, features)
            Raw features.
        base_logit_B : Tensor of shape (windows,), optional
            What is added instead of the model's own: in training, what was fitted without the window.
        """
        tokens_BPD = self.dropout(self.embed(x_BTF))
        recompute = self._recompute and self.training
        for block in self.blocks:
            tokens_BPD = checkpoint(block, tokens_BPD, use_reentrant=False) if recompute else block(tokens_BPD)
        return self.read_out(tokens_BPD, x_BTF, base_logit_B)

    def embed(self, x_BTF: Tensor) -> Tensor:
        """Tokens of shape (windows, patches, d_model) from raw features, before dropout."""
        z_BTF = (x_BTF - self.feature_mean) / self.feature_std
        if self.architecture.instance_norm == "revin":
            variance_B1F, mean_B1F = torch.var_mean(z_BTF, 1, correction=0, keepdim=True)
            z_BTF = (z_BTF - mean_B1F) / (variance_B1F + EPSILON).sqrt()
        z_BTF = z_BTF.clamp(-STANDARD_DEVIATIONS_KEPT, STANDARD_DEVIATIONS_KEPT)
        return self.embedding(self.patches(z_BTF)) + self.positions

    def read_out(self, tokens_BPD: Tensor, x_BTF: Tensor, base_logit_B: Tensor | None = None) -> Tensor:
        """Logits of shape (windows,) from what the blocks made of the tokens; arguments as of :meth:`forward`."""
        logits_B = self.head(self.norm(tokens_BPD).flatten(1)).squeeze(1)
        if self.offset is None:
            return logits_B
        return logits_B + (self.offset(x_BTF[:, -1]) if base_logit_B is None else base_logit_B)

    def patches(self, x_BTF: Tensor) -> Tensor:
        """Patches of shape (windows, patches, days · features); the last ends at the forecast day."""
        a = self.architecture
        used = (a.n_patches - 1) * a.stride + a.patch_length
        patches_BPFL = x_BTF[:, -used:].unfold(1, a.patch_length, a.stride)
        return patches_BPFL.flatten(2)

    @torch.no_grad()
    def set_statistics(self, features_NF: Tensor) -> None:
        """Take mean and standard deviation of the training rows, shape (rows, features)."""
        std = features_NF.double().std(dim=0)
        self.feature_mean.copy_(features_NF.double().mean(dim=0))
        self.feature_std.copy_(torch.where(std > 0, std, torch.ones_like(std)))

    @torch.no_grad()
    def _initialise(self) -> None:
        """Draw weights with std 0.02, less on residual outputs by 1/sqrt(2·layers) (GPT-2, section 2.3); no bias."""
        if self.positions.is_meta:
            return
        nn.init.normal_(self.positions, std=INITIAL_STD)
        for name, module in self.named_modules():
            if isinstance(module, nn.Linear):
                is_residual = name.endswith(("attention_output", "contract"))
                scale = 1 / math.sqrt(2 * self.architecture.n_layers) if is_residual else 1.0
                nn.init.normal_(module.weight, std=INITIAL_STD * scale)
                nn.init.zeros_(module.bias)
        if self.offset is not None:
            nn.init.zeros_(self.head.weight)


def make_model(spec: Spec) -> PatchTST:
    """Model of a spec, with weights drawn from torch's generator."""
    training = spec.training
    base_logit = make_base_logit(training.offset, spec.architecture.n_features)
    return PatchTST(
        spec.architecture, dropout=training.dropout, attention_dropout=training.attention_dropout, base_logit=base_logit
    )


def predict_proba(logits: Tensor) -> Tensor:
    """Probabilities from logits: the one place where this is done."""
    return torch.sigmoid(logits.double())
