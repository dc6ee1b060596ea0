"""One epoch of optimisation steps: batches in micro-batches, gradients accumulated, memory errors survived."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

import torch
from torch import Tensor, nn

from model.network.patchtst import PatchTST
from model.spec.spec import Training
from model.training.cuda_graph import GraphedStep
from model.training.device import is_out_of_memory, kind_of
from model.training.execution import Execution
from model.training.objective import Objective
from model.training.weight_average import WeightAverage

EPSILON = 1e-6
"""Beside the norm of gradients, as in torch's own clipping."""


class Stepper:
    """Takes optimisation steps on a model.

    Parameters
    ----------
    model : PatchTST
        Changed in place.
    objective : Objective
        Of the model, from :func:`model.training.objective.make_objective`.
    training : Training
        Of the spec.
    optimizer, schedule
        From :mod:`model.training.optimizer`.
    execution : Execution
        How batches are computed; halved when memory runs out.
    average : WeightAverage, optional
        Of the model's weights, carried along after every step.
    """

    def __init__(
        self,
        model: PatchTST,
        objective: Objective,
        training: Training,
        optimizer: torch.optim.Optimizer,
        schedule: torch.optim.lr_scheduler.LambdaLR,
        execution: Execution,
        average: WeightAverage | None = None,
    ) -> None:
        self.model, self.objective, self.training = model, objective, training
        self.optimizer, self.schedule, self.execution = optimizer, schedule, execution
        self._average = average
        self._parameters = list(model.parameters())
        self._graph: GraphedStep | None = None
        self._device = self._parameters[0].device
        self._kind = kind_of(self._device)
        model.set_execution(recompute=execution.recompute, compiled=execution.compiled)

    def rate(self) -> float:
        """Learning rate of the next step, known on the host."""
        return self.training.learning_rate * float(self.schedule.lr_lambdas[0](self.schedule.last_epoch))

    def run(self, batches: tuple[Tensor, ...]) -> tuple[Tensor, list[float]]:
        """Step through the batches: loss of each, shape (steps,), still on the device, and learning rates."""
        self.model.train()
        losses, rates = [], []
        for rows in batches:
            rates.append(self.rate())
            losses.append(self._graphed(rows) if self._may_graph(rows) else self._step(rows))
            self.schedule.step()
            if self._average is not None:
                self._average.update()
        return torch.stack(losses), rates

    def _may_graph(self, rows: Tensor) -> bool:
        return self.execution.graphed and len(rows) == self.execution.micro_batch == self.training.batch_size

    def _graphed(self, rows: Tensor) -> Tensor:
        """Replay the recorded step; without a record where memory does not allow one."""
        try:
            self._graph = self._graph or GraphedStep(self._step, rows, self.model, self.optimizer)
            return self._graph(rows)
        except (torch.OutOfMemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
        self._graph, self.execution = None, replace(self.execution, graphed=False)
        return self._step(rows)

    def _step(self, rows: Tensor) -> Tensor:
        loss = self._loss_and_gradients(rows)
        self._clip()
        self.optimizer.step()
        return loss

    def _clip(self) -> None:
        """Scale gradients down to the norm; where that can be asked, those within it are not multiplied by one."""
        gradients = [parameter.grad for parameter in self._parameters if parameter.grad is not None]
        norm, most = nn.utils.get_total_norm(gradients), self.training.clip_norm
        if not self._kind.reads_at_once or not most / (norm + EPSILON) >= 1:
            nn.utils.clip_grads_with_norm_(self._parameters, most, norm)

    def _loss_and_gradients(self, rows: Tensor) -> Tensor:
        """Mean loss of a batch with its gradients accumulated; tried again with half the micro-batch if need be."""
        while True:
            try:
                self.optimizer.zero_grad(set_to_none=True)
                parts = [self._part(part, len(rows)) for part in rows.split(self.execution.micro_batch)]
                return torch.stack(parts).sum()
            except (torch.OutOfMemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
            self.execution = self.execution.halved()
            self.optimizer.zero_grad(set_to_none=True)
            self._kind.empty_cache()

    def _part(self, rows: Tensor, n_batch: int) -> Tensor:
        """Share of a micro-batch in the batch's mean loss, its gradients added to those that are there.

        Where every shape is compiled anew a short part is filled up with its first row, so that every batch has
        one shape; what was filled in has no loss.
        """
        n = len(rows)
        missing = self.execution.micro_batch - n if self._kind.one_shape else 0
        filled = torch.cat([rows, rows[:1].expand(missing)]) if missing else rows
        with self._in_precision():
            loss = self.objective(filled, n) * (n / n_batch)
        loss.backward()
        return loss.detach()

    def _in_precision(self) -> AbstractContextManager[object]:
        """Compute in the execution's precision; in float32 autocast is left out: not every device has it."""
        if self.execution.dtype == torch.float32:
            return nullcontext()
        return torch.autocast(self._device.type, dtype=self.execution.dtype, cache_enabled=not self.execution.graphed)
