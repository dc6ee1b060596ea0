"""PatchTST: channel-mixing patches, pre-norm encoder, flatten head, logits.

After Nie et al., "A Time Series is Worth 64 Words" (ICLR 2023), with channels
mixed inside a patch instead of kept apart, features of the day as a token of their own, and a logit or the
mixtures of a predictive distribution instead of a forecast.

Shapes in names: B windows, T days of context, F features, S static features, P patches (tokens, with the static
one), L days in a patch, D d_model, O outputs of the head.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from model.network.base_logit import BaseLogit, make_base_logit
from model.network.block import Block
from model.network.block_function import train_blocks
from model.network.distribution import Mixture
from model.network.distribution_linear import DistributionLinear
from model.network.dropout import Dropout
from model.network.float64 import in_float64
from model.network.forecast import Forecast, blend_shift
from model.network.initialise import initialise
from model.network.question import Question
from model.network.window_units import WindowUnits
from model.spec.architecture import Architecture
from model.spec.choices import DISTRIBUTION_LINEAR, FAN_IN, NONE, read_blend
from model.spec.spec import Spec

STANDARD_DEVIATIONS_KEPT = 10.0
EPSILON = 1e-5


class PatchTST(nn.Module):
    """From a window of raw features to one logit, by way of a distribution where the architecture has one.

    Features are standardised inside the model with statistics of the training
    rows (:meth:`set_statistics`), which are buffers and so part of every checkpoint; the window's channels of a tier
    of two parts come in sigma instead.

    Parameters
    ----------
    architecture : Architecture
        The dimensions.
    dropout : float
        Of the embedding and both residual branches.
    attention_dropout : float
        Of the attention weights.
    offset : LogisticBaseLogit, BoostedBaseLogit or DistributionLinear, optional
        Frozen part of what the head gives; the head then starts at zero.
    init : {"fan_in", "normal"}
        How weights start, see :class:`model.spec.spec.Training`.
    units : WindowUnits, optional
        Of a tier of two parts; without them all features are of the window.
    question : Question, optional
        What a distribution is asked; one day and 1 % if not given.
    blend : (BoostedBaseLogit or LogisticBaseLogit, float), optional
        Baseline and its share in the logit that a trained model gives; training leaves it out.  The baseline knows
        the study's own question alone; of a distribution, what it moves there it moves for every question of the
        day, see :class:`model.network.forecast.Forecast`.

    Examples
    --------
    >>> tiny = Architecture(n_features=3, d_model=8, n_layers=1, n_heads=2, d_ff=16)
    >>> PatchTST(tiny)(torch.zeros(4, 60, 3)).shape
    torch.Size([4])
    """

    feature_mean: Tensor
    feature_std: Tensor
    blended: BaseLogit | None
    _compiled_for: ClassVar[object] = None

    def __init__(
        self,
        architecture: Architecture,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        offset: BaseLogit | DistributionLinear | None = None,
        *,
        init: str = FAN_IN,
        units: WindowUnits | None = None,
        question: Question | None = None,
        blend: tuple[BaseLogit, float] | None = None,
    ) -> None:
        super().__init__()
        self.architecture = architecture
        self.question = question or Question(horizon=architecture.ahead[0] if architecture.ahead else 1, threshold=0.01)
        d_model, n_read = architecture.d_model, architecture.n_features + architecture.n_static
        self.register_buffer("feature_mean", torch.zeros(n_read))
        self.register_buffer("feature_std", torch.ones(n_read))
        self.embedding = nn.Linear(architecture.patch_length * architecture.n_features, d_model)
        self.static = nn.Linear(architecture.n_static, d_model) if architecture.n_static else None
        self.positions = nn.Parameter(torch.empty(architecture.n_tokens, d_model))
        self.dropout = Dropout(dropout)
        self.blocks = nn.ModuleList(
            Block(architecture, dropout, attention_dropout) for _ in range(architecture.n_layers)
        )
        self.norm = nn.LayerNorm(d_model)
        self.head = nn.Linear(architecture.n_tokens * d_model, architecture.n_outputs)
        self.offset = offset
        self.units = units
        self.blended, self.blend_share = blend if blend is not None else (None, 0.0)
        self._recompute = False
        initialise(self, self.positions, init, n_layers=architecture.n_layers)
        if offset is not None and not self.positions.is_meta:
            nn.init.zeros_(self.head.weight)

    def set_execution(self, *, recompute: bool = False, compiled: bool = False, plain: bool = False) -> None:
        """Choose how training is computed.

        Parameters
        ----------
        recompute : bool
            Blocks keep their input only and run again for the backward pass (Chen et al., 2016).
        compiled : bool
            Blocks are compiled, and what was compiled for a model of other dimensions is let go: torch compiles a
            function for eight shapes, counted over a process, and then, with no more than a warning, no more.
        plain : bool
            Attention and dropout are torch's own on a CPU too, as they are on a GPU and where blocks are compiled.
        """
        self._recompute = recompute
        for module in self.modules():
            if isinstance(module, Block | Dropout):
                module.plain = plain or compiled
        if compiled:
            self._let_go_of_others()
            for block in self.blocks:
                block.compile(dynamic=False)

    def _let_go_of_others(self) -> None:
        dimensions = (self.architecture, self.dropout.p, [block.attention_dropout for block in self.blocks][:1])
        if PatchTST._compiled_for != dimensions:
            torch.compiler.reset()
        PatchTST._compiled_for = dimensions

    def forward(self, x_BTF: Tensor, base_logit_B: Tensor | None = None, question: Question | None = None) -> Tensor:
        """Logits of shape (windows,).

        Parameters
        ----------
        x_BTF : Tensor of shape (windows, days, features)
            Raw features.
        base_logit_B : Tensor of shape (windows,), optional
            What is added instead of the model's own: in training, what was fitted without the window.
        question : Question, optional
            What a distribution is asked; the study's own if not given.
        """
        return self.read_out(self._encode(x_BTF), x_BTF, base_logit_B, question)

    def mixture(self, x_BTF: Tensor) -> Mixture:
        """Predictive distribution of each window and horizon; of an architecture whose head is one."""
        return self._mixture(self._encode(x_BTF), x_BTF)

    def _encode(self, x_BTF: Tensor) -> Tensor:
        tokens_BPD = self.dropout(self.embed(x_BTF))
        recompute, blocks = self._recompute and self.training, [each for each in self.blocks if isinstance(each, Block)]
        if blocks[0].is_written_down(tokens_BPD):
            weights = (weight for block in blocks for weight in block.weights())
            return train_blocks(tokens_BPD, blocks[0].settings()._replace(recompute=recompute), *weights)
        for block in blocks:
            tokens_BPD = checkpoint(block, tokens_BPD, use_reentrant=False) if recompute else block(tokens_BPD)
        return tokens_BPD

    def embed(self, x_BTF: Tensor) -> Tensor:
        """Tokens of shape (windows, tokens, d_model) from raw features, before dropout."""
        if self.static is None:
            z_BTF = (x_BTF - self.feature_mean) / self.feature_std
            return self.embedding(self.patches(self._normed(z_BTF))) + self.positions
        patches_BPD = self.embedding(self.patches(self._window(x_BTF)))
        return torch.cat([patches_BPD, self.static(self.statics(x_BTF))[:, None]], 1) + self.positions

    def _window(self, x_BTF: Tensor) -> Tensor:
        """Channels of the window, shape (windows, days, channels): in sigma where the tier says so."""
        if self.units is not None:
            return self._normed(self.units(x_BTF)[0])
        n = self.architecture.n_features
        return self._normed((x_BTF[..., :n] - self.feature_mean[:n]) / self.feature_std[:n])

    def statics(self, x_BTF: Tensor) -> Tensor:
        """Standardised static features, shape (windows, statics)."""
        n = self.architecture.n_features
        z_BS = (x_BTF[:, -1, n:] - self.feature_mean[n:]) / self.feature_std[n:]
        limit_S = z_BS.new_full((), STANDARD_DEVIATIONS_KEPT) if self.units is None else self.units.limit_S
        return torch.clamp(z_BS, -limit_S, limit_S)

    def _normed(self, z_BTF: Tensor) -> Tensor:
        if self.architecture.instance_norm == "revin":
            variance_B1F, mean_B1F = torch.var_mean(z_BTF, 1, correction=0, keepdim=True)
            z_BTF = (z_BTF - mean_B1F) / (variance_B1F + EPSILON).sqrt()
        return z_BTF.clamp(-STANDARD_DEVIATIONS_KEPT, STANDARD_DEVIATIONS_KEPT)

    def read_out(
        self,
        tokens_BPD: Tensor,
        x_BTF: Tensor,
        base_logit_B: Tensor | None = None,
        question: Question | None = None,
    ) -> Tensor:
        """Logits of shape (windows,) from what the blocks made of the tokens; arguments as of :meth:`forward`."""
        if self.architecture.ahead:
            return self.forecast(tokens_BPD, x_BTF).logits(question or self.question)
        assert question in (None, self.question), "a binary head answers its own question alone"
        logits_B = self.head(self.norm(tokens_BPD).flatten(1)).squeeze(1)
        if self.offset is not None:
            logits_B = logits_B + (self.offset(x_BTF[:, -1]) if base_logit_B is None else base_logit_B)
        if self.blended is None or self.training:
            return logits_B
        return logits_B + blend_shift(logits_B, self.blended(x_BTF[:, -1]), self.blend_share)

    def forecast(self, tokens_BPD: Tensor, x_BTF: Tensor) -> Forecast:
        """Read off a distribution what it can be asked, from what the blocks made of the tokens of raw features."""
        log_sigma_B = self.units.log_sigma(x_BTF) if self.units else torch.zeros_like(x_BTF[:, -1, 0])
        mixture, ahead = self._mixture(tokens_BPD, x_BTF), self.architecture.ahead
        own = Forecast(mixture=mixture, ahead=ahead, log_sigma_B=log_sigma_B)
        if self.blended is None or self.training:
            return own
        return own.blended(self.question, self.blended(x_BTF[:, -1]), self.blend_share)

    def _mixture(self, tokens_BPD: Tensor, x_BTF: Tensor) -> Mixture:
        raw_BO = self.head(self.norm(tokens_BPD).flatten(1))
        return Mixture.of(raw_BO if self.offset is None else raw_BO + self.offset(self.statics(x_BTF)))

    def patches(self, x_BTF: Tensor) -> Tensor:
        """Patches of shape (windows, patches, days · features); the last ends at the forecast day."""
        a = self.architecture
        used = (a.n_patches - 1) * a.stride + a.patch_length
        patches_BPFL = x_BTF[:, -used:].unfold(1, a.patch_length, a.stride)
        return patches_BPFL.flatten(2)

    @torch.no_grad()
    def set_statistics(self, features_NF: Tensor) -> None:
        """Take mean and standard deviation of the training rows, shape (rows, features)."""
        values_NF = in_float64(features_NF)
        std = values_NF.std(dim=0)
        self.feature_mean.copy_(values_NF.mean(dim=0))
        self.feature_std.copy_(torch.where(std > 0, std, torch.ones_like(std)))


def make_model(spec: Spec, *, n_layers: int | None = None, bare: bool = False) -> PatchTST:
    """Model of a spec, with weights drawn from torch's generator.

    Parameters
    ----------
    spec : Spec
        Its architecture, training, tier and target.
    n_layers : int, optional
        In place of the spec's.
    bare : bool
        Without the baselines in it.
    """
    training = replace(spec.training, offset=NONE, blend=NONE) if bare else spec.training
    architecture = replace(spec.architecture, n_layers=n_layers or spec.architecture.n_layers)
    n_read = architecture.n_features + architecture.n_static
    if training.offset == DISTRIBUTION_LINEAR:
        n_static, n_outputs = architecture.n_static, architecture.n_outputs
        offset: BaseLogit | DistributionLinear | None = DistributionLinear(n_static, n_outputs)
    else:
        offset = make_base_logit(training.offset, n_read)
    blend = read_blend(training.blend)
    blended = make_base_logit(blend[0], n_read) if blend else None
    return PatchTST(
        architecture,
        dropout=training.dropout,
        attention_dropout=training.attention_dropout,
        offset=offset,
        init=training.init,
        units=WindowUnits(spec.data.tier) if architecture.n_static else None,
        question=Question(horizon=spec.target.horizon, threshold=spec.target.threshold),
        blend=(blended, blend[1]) if blend and blended is not None else None,
    )


def predict_proba(logits: Tensor) -> Tensor:
    """Probabilities from logits: the one place where this is done."""
    return torch.sigmoid(in_float64(logits))
