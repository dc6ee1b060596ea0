"""Memory: estimated before a trial, measured in it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

from model.network.patchtst import PatchTST
from model.network.reach_loss import reach_loss
from model.network.small_attention import MOST_TOKENS
from model.spec.architecture import Architecture, total_parameters
from model.spec.spec import Spec, Training
from model.training.device import kind_of

FLOAT32 = 4
HOST = torch.device("cpu")
ALLOCATOR_SLACK = 1.3
DRAWN_THRESHOLDS = Training().n_thresholds


@dataclass(frozen=True, kw_only=True, slots=True)
class MemoryEstimate:
    """Bytes that training takes, by what they hold.

    Parameters
    ----------
    weights, gradients : int
        In float32; the weights once more in the activations' type where that is another.
    optimizer : int
        AdamW's two moments.
    best : int
        Copy of the best epoch's weights, and the moving average of weights where there is one.
    activations : int
        What one micro-batch keeps for its backward pass, and what one block needs meanwhile.
    features : int
        The resident features.
    accumulated : bool
        Whether gradients stay while further micro-batches are computed.
    """

    weights: int
    gradients: int
    optimizer: int
    best: int
    activations: int
    features: int
    accumulated: bool = False

    @property
    def total(self) -> int:
        """Most that is in use at one time: gradients appear while activations go, unless they are accumulated."""
        moving = (self.gradients, self.activations)
        return self.weights + self.optimizer + self.best + self.features + (sum if self.accumulated else max)(moving)


def estimate_memory(
    spec: Spec,
    *,
    micro_batch: int,
    dtype: torch.dtype = torch.float32,
    recompute: bool = False,
    rows: int = 0,
    device: torch.device = HOST,
) -> MemoryEstimate:
    """Estimate the memory of training a spec.

    Activations are counted, not guessed: the model's own forward pass runs on
    the meta device, without memory, and the tensors that autograd keeps are added up.

    Parameters
    ----------
    spec : Spec
        Its architecture and dropout.
    micro_batch : int
        Windows at a time.
    dtype : torch.dtype
        Of activations.
    recompute : bool
        Whether blocks keep their inputs only.
    rows : int
        Days of features on the device.
    device : torch.device
        On a CPU blocks of few tokens keep less: their activations are computed again.
    """
    n = total_parameters(spec.architecture)
    rates = (spec.training.dropout > 0, spec.training.attention_dropout > 0)
    share = dtype.itemsize / FLOAT32
    outside, block, tokens = _kept_bytes(replace(spec.architecture, n_layers=1), *rates)
    if kind_of(device).by_hand and dtype == torch.float32 and spec.architecture.n_tokens <= MOST_TOKENS:
        block -= spec.architecture.n_tokens * spec.architecture.d_ff * FLOAT32
    layers = spec.architecture.n_layers
    kept = outside + (layers * tokens + block if recompute else layers * block)
    return MemoryEstimate(
        weights=n * FLOAT32 + (n * dtype.itemsize if dtype != torch.float32 else 0),
        gradients=n * FLOAT32,
        optimizer=2 * n * FLOAT32,
        best=(1 + (spec.training.weight_average > 0)) * n * FLOAT32,
        activations=math.ceil(ALLOCATOR_SLACK * micro_batch * share * (kept + block)),
        features=rows * (spec.architecture.n_features + spec.architecture.n_static) * FLOAT32,
        accumulated=micro_batch < spec.training.batch_size,
    )


@cache
def _kept_bytes(one_layer: Architecture, dropout: bool, attention_dropout: bool) -> tuple[int, int, int]:
    """Bytes a window: kept outside the blocks, kept by a block, and a block's input."""
    depths = [replace(one_layer, n_layers=layers) for layers in (1, 2)]
    one, two = (_count_kept(a, 0.1 * dropout, 0.1 * attention_dropout) for a in depths)
    return one - (two - one), two - one, one_layer.n_tokens * one_layer.d_model * FLOAT32


def _count_kept(architecture: Architecture, dropout: float, attention_dropout: float) -> int:
    """Bytes a window that autograd keeps in a forward pass, each storage once, parameters left out."""
    windows = 8
    with torch.device("meta"):
        model = PatchTST(architecture, dropout=dropout, attention_dropout=attention_dropout)
        model.set_execution(plain=True)
        x_BTF = torch.empty(windows, architecture.context_length, architecture.n_features + architecture.n_static)
        y_B = torch.empty(windows)
        reach_BH = torch.empty(windows, len(architecture.ahead))
    owned = {parameter.untyped_storage()._cdata for parameter in model.parameters()}
    kept: dict[int, tuple[Tensor, int]] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in owned:
            kept[storage._cdata] = (tensor, storage.nbytes())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        if architecture.ahead:
            drawn_BHU = reach_BH[..., None].expand(-1, -1, DRAWN_THRESHOLDS)
            reach_loss(model.mixture(x_BTF), reach_BH, reach_BH, drawn_BHU)
        else:
            functional.binary_cross_entropy_with_logits(model(x_BTF), y_B)
    return sum(size for _, size in kept.values()) // windows


def available_memory(device: torch.device) -> int:
    """Free bytes of a device: of the GPU, or of this machine within its container's limit."""
    return kind_of(device).free(device)


@dataclass(kw_only=True, slots=True)
class PeakMemory:
    """The most memory that was in use, in bytes; None where it can't be measured."""

    value: int | None = None


@contextmanager
def measured_peak(device: torch.device, baseline: int = 0) -> Iterator[PeakMemory]:
    """Measure the most memory in use inside the block, less a baseline.

    On an NVIDIA GPU that torch allocated, of a CPU on Linux the process's resident memory, elsewhere None.

    Parameters
    ----------
    device : torch.device
        Whose memory.
    baseline : int
        Bytes that were in use before, as of :func:`memory_in_use`.
    """
    peak, kind = PeakMemory(), kind_of(device)
    kind.start_peak(device)
    try:
        yield peak
    finally:
        reached = kind.peak(device)
        peak.value = None if reached is None else max(0, reached - baseline)


def memory_in_use(device: torch.device) -> int:
    """Bytes in use now; 0 where that is unknown."""
    return kind_of(device).in_use(device) or 0
