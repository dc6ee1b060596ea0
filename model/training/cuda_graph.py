"""CUDA graph: one optimisation step recorded once and replayed, so that the host launches one thing a step."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn

WARM_UP_STEPS = 3


class GraphedStep:
    """A step on batches of one shape.

    Recording needs a few real steps first, so that buffers exist and kernels are
    compiled; weights, moments and random numbers are put back afterwards, also where memory runs out meanwhile.

    Parameters
    ----------
    step : callable
        From row numbers to a loss, both on the GPU; must not ask the device for a value.
    rows : Tensor of shape (batch,)
        A batch of the shape to be recorded.
    model, optimizer
        What the step changes.

    References
    ----------
    PyTorch's notes on CUDA semantics, "Whole-network capture".
    """

    def __init__(
        self, step: Callable[[Tensor], Tensor], rows: Tensor, model: nn.Module, optimizer: torch.optim.Optimizer
    ) -> None:
        self._rows = rows.clone()
        weights = copy.deepcopy(model.state_dict())
        moments = copy.deepcopy(optimizer.state_dict()["state"])
        random = torch.cuda.get_rng_state(rows.device)
        try:
            self._record(step)
        finally:
            _put_back(model, optimizer, weights, moments)
            torch.cuda.set_rng_state(random, rows.device)

    def _record(self, step: Callable[[Tensor], Tensor]) -> None:
        device = self._rows.device
        stream = torch.cuda.Stream(device)
        stream.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP_STEPS):
                step(self._rows)
        torch.cuda.current_stream(device).wait_stream(stream)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._loss = step(self._rows)

    def __call__(self, rows: Tensor) -> Tensor:
        """Take a step on these rows: its loss."""
        self._rows.copy_(rows)
        self._graph.replay()
        return self._loss.clone()


@torch.no_grad()
def _put_back(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    weights: dict[str, Tensor],
    moments: dict[int, dict[str, Tensor]],
) -> None:
    """Restore values in place: the graph holds on to the tensors themselves."""
    model.load_state_dict(weights)
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for i, parameter in enumerate(parameters):
        for name, tensor in optimizer.state[parameter].items():
            before = moments.get(i, {}).get(name)
            tensor.zero_() if before is None else tensor.copy_(before)
