"""Execution: how a spec is computed on a device; it changes time and memory, not what is computed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from model.spec.spec import Spec
from model.training.device import kind_of
from model.training.memory import MemoryEstimate, available_memory, estimate_memory
from pipeline.exceptions import InputError, TrainingError

PRECISIONS = ("float32", "bfloat16")
SHARE_OF_MEMORY = 0.8
GIB = 2**30


@dataclass(frozen=True, kw_only=True, slots=True)
class Execution:
    """How batches are computed.

    Parameters
    ----------
    micro_batch : int
        Windows that go through the model together; gradients of a batch's parts are accumulated.
    precision : str
        Of activations: ``float32`` or ``bfloat16`` (autocast; weights and optimizer stay in float32).
    recompute : bool
        Keep only the blocks' inputs and compute the rest again for the backward pass.
    compiled : bool
        Compile the blocks.
    graphed : bool
        Record a whole step once and replay it (CUDA graph), which needs batches of one shape.
    """

    micro_batch: int
    precision: str = "float32"
    recompute: bool = False
    compiled: bool = False
    graphed: bool = False

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise InputError(f"precision must be one of {', '.join(PRECISIONS)}, got {self.precision!r}")
        if self.micro_batch < 1:
            raise InputError(f"micro_batch must be at least 1, got {self.micro_batch}")

    @property
    def dtype(self) -> torch.dtype:
        """Of activations."""
        return torch.float32 if self.precision == "float32" else torch.bfloat16

    def memory(self, spec: Spec, device: torch.device, rows: int) -> MemoryEstimate:
        """Memory of training a spec in this way on a device that holds so many days of features."""
        return estimate_memory(
            spec, micro_batch=self.micro_batch, dtype=self.dtype, recompute=self.recompute, rows=rows, device=device
        )

    def halved(self) -> Execution:
        """With half the micro-batch.

        Raises
        ------
        TrainingError
            If it is one window already.
        """
        if self.micro_batch == 1:
            raise TrainingError("out of memory with one window at a time; take a smaller budget or a larger device")
        return replace(self, micro_batch=-(-self.micro_batch // 2), graphed=False)


def choose_execution(spec: Spec, device: torch.device, *, rows: int, available: int | None = None) -> Execution:
    """Choose the fastest way to compute a spec that the memory estimate allows.

    On an NVIDIA GPU: bfloat16, compiled blocks and graphs; where that does not fit, first recomputation, then
    smaller micro-batches. On a CPU bfloat16 and compilation are slower and are not taken, nor are they on Apple's.

    Parameters
    ----------
    spec : Spec
        What is computed.
    device : torch.device
        Where.
    rows : int
        Days of features that lie on the device.
    available : int, optional
        Free bytes; asked of the device if not given.

    Raises
    ------
    TrainingError
        If not even one window at a time fits.
    """
    free = available_memory(device) if available is None else available
    kind = kind_of(device)
    execution = Execution(
        micro_batch=spec.training.batch_size,
        precision=kind.precision,
        compiled=kind.compiles,
        graphed=kind.graphs,
    )
    while execution.memory(spec, device, rows).total > SHARE_OF_MEMORY * free:
        if kind.recomputes and not execution.recompute:
            execution = replace(execution, recompute=True, graphed=False)
        elif execution.micro_batch > 1:
            execution = execution.halved()
        else:
            needed = least_memory(spec, device, rows=rows)
            raise TrainingError(
                f"a trial must fit in memory, got an estimate of {needed / GIB:.1f} GiB for {spec.architecture.label} "
                f"with one window at a time and {free / GIB:.1f} GiB free, of which {SHARE_OF_MEMORY:.0%} may be "
                "used; take a smaller budget or a larger device"
            )
    return execution


def least_memory(spec: Spec, device: torch.device, *, rows: int) -> int:
    """Bytes that training takes at the least: one window at a time, on an NVIDIA GPU recomputed in bfloat16."""
    kind = kind_of(device)
    least = Execution(micro_batch=1, precision=kind.precision, recompute=kind.recomputes)
    return least.memory(spec, device, rows).total
