"""A double of an NVIDIA GPU: the CPU, allowed what a GPU is allowed, with graphs that take the recorded step anew.

What it can't show is what CUDA refuses inside a recording; that nothing goes between host and device in a step is
shown on the double of Apple's device.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from model.network.block import Block
from model.training import cuda_graph, step
from model.training.device import Cuda, Device


class Card(Device):
    """The CPU, which may do what a GPU may; the rate stays on the host, where the CPU's optimizer reads it."""

    precision = Cuda.precision
    compiles, graphs, recomputes, one_shape, one_trial, by_hand, reads_at_once = (
        getattr(Cuda, name)
        for name in ("compiles", "graphs", "recomputes", "one_shape", "one_trial", "by_hand", "reads_at_once")
    )

    def name(self, device: torch.device) -> str:
        """Name of a card that no table knows."""
        return "NVIDIA H0"


class Recorded(cuda_graph.GraphedStep):
    """A recorded step whose replay takes the step itself, into the tensors of the recording."""

    def __init__(self, taken: Callable[[Tensor], Tensor], rows: Tensor, *others: Any) -> None:
        super().__init__(taken, rows, *others)
        self._graph = SimpleNamespace(replay=lambda: self._loss.copy_(taken(self._rows)))  # type: ignore[assignment]


@contextmanager
def gpu(patch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Let the CPU be a GPU inside; what was compiled and recorded is listed in what is given back."""
    done: list[str] = []

    @contextmanager
    def recording(graph: object) -> Iterator[None]:
        done.append("recorded")
        yield

    stream = SimpleNamespace(wait_stream=lambda other: None)
    patch.setitem(step.kind_of.__globals__["KINDS"], "cpu", Card())
    patch.setattr(Block, "compile", lambda self, **settings: done.append("compiled"))
    for name, value in {
        "Stream": lambda device: stream,
        "current_stream": lambda device: stream,
        "stream": lambda stream: nullcontext(),
        "CUDAGraph": object,
        "graph": recording,
        "get_rng_state": lambda device: torch.get_rng_state(),
        "set_rng_state": lambda state, device: torch.set_rng_state(state),
    }.items():
        patch.setattr(torch.cuda, name, value)
    patch.setattr(step, "GraphedStep", Recorded)
    yield done
