"""The trainer: a generator of epochs that knows nothing of who consumes them."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from model.evaluation import Evaluation
from model.metrics import evaluate
from model.network.base_logit import fit_base_logit
from model.network.distribution_linear import DistributionLinear, fit_distribution_linear
from model.network.float64 import in_float64
from model.network.patchtst import PatchTST, make_model, predict_proba
from model.spec.spec import Spec
from model.training.allocator import freed_memory_kept, keep_freed_memory
from model.training.execution import Execution
from model.training.objective import make_objective, training_reach
from model.training.optimizer import make_optimizer, make_schedule
from model.training.step import Stepper
from model.training.weight_average import WeightAverage
from model.windows import Windows, to_tensor
from pipeline.exceptions import TrainingError

EVALUATION_BATCH = 512


@dataclass(frozen=True, kw_only=True, slots=True)
class EpochResult:
    """What one epoch did.

    Parameters
    ----------
    epoch : int
        From 1; 0 is the model before it was trained.
    train_loss : float
        Sample-weighted mean loss of the training batches, dropout on; NaN for epoch 0.
    validation : Evaluation
        After the epoch.
    learning_rate : float
        Of the epoch's last step; NaN for epoch 0.
    samples_per_second : float
        Training windows a second of the whole epoch, validation included.
    is_best : bool
        Whether the model keeps it so far: the lowest validation loss, or, without patience, the last epoch.
    """

    epoch: int
    train_loss: float
    validation: Evaluation
    learning_rate: float
    samples_per_second: float
    is_best: bool


def build_model(spec: Spec, windows: Windows) -> PatchTST:
    """Build a model with the spec's seed, the training days' statistics and a base logit fitted to their rows.

    On a CPU its weights, which every step reads and writes, lie in the memory that training keeps.
    """
    if windows.x_NTF.device.type == "cpu":
        keep_freed_memory()
    torch.manual_seed(spec.seed)
    model = make_model(spec)
    model.set_statistics(windows.training_days().cpu())
    model = model.to(windows.x_NTF.device)
    if isinstance(model.offset, DistributionLinear):
        _fit_linear(model, model.offset, windows, spec)
    elif model.offset is not None:
        fit_base_logit(model.offset, windows, horizon=spec.target.horizon)
    if model.blended is not None:
        fit_base_logit(model.blended, windows, horizon=spec.target.horizon)
    return model


def _fit_linear(model: PatchTST, linear: DistributionLinear, windows: Windows, spec: Spec) -> None:
    rows = to_tensor(windows.train_rows, windows.x_DF.device)
    reach_DH, asked_DH = training_reach(model, windows)
    fit_distribution_linear(
        linear,
        model.statics(windows.x_DF[rows][:, None]),
        reach_DH[rows],
        asked_DH[rows],
        largest_threshold=spec.training.largest_threshold,
        seed=spec.seed,
    )


class Trainer:
    """Train a model of a spec, epoch by epoch; can be stopped after any epoch and resumed from a file.

    Parameters
    ----------
    spec : Spec
        What to train.
    windows : Windows
        On the device to train on.
    model : PatchTST
        From :func:`build_model`; changed in place.
    execution : Execution, optional
        How to compute it; the whole batch at once in float32 if not given.
    """

    def __init__(self, spec: Spec, windows: Windows, model: PatchTST, execution: Execution | None = None) -> None:
        self.spec, self.windows, self.model = spec, windows, model
        training = spec.training
        windows.require_unsealed(windows.train_rows)
        windows.require_unsealed(windows.rows.validation)
        self._rows = to_tensor(windows.train_rows, windows.x_NTF.device)
        self.steps_per_epoch = math.ceil(len(self._rows) / training.batch_size)
        self.optimizer = make_optimizer(model, training)
        self.schedule = make_schedule(self.optimizer, training, self.steps_per_epoch * training.max_epochs)
        self.generator = torch.Generator().manual_seed(spec.seed)
        self.epoch, self.seconds = 0, 0.0
        self.best_loss, self.best_epoch, self.best_state = math.inf, 0, copy.deepcopy(model.state_dict())
        self.average = WeightAverage(model, training.weight_average) if training.weight_average else None
        self._stepper = Stepper(
            model,
            make_objective(model, windows, training),
            training,
            self.optimizer,
            self.schedule,
            execution or Execution(micro_batch=training.batch_size),
            self.average,
        )

    @property
    def execution(self) -> Execution:
        """How batches are computed now: micro-batches shrink when memory runs out."""
        return self._stepper.execution

    def limit_micro_batch(self, most: int) -> None:
        """Take micro-batches of at most so many windows."""
        self._stepper.execution = replace(self.execution, micro_batch=min(most, self.execution.micro_batch))

    def epochs(self) -> Iterator[EpochResult]:
        """Train from where it stands, yielding after each epoch; in the end the model holds the best weights.

        A model with an offset is evaluated untrained first, as epoch 0, where the spec has it as a candidate.

        Raises
        ------
        TrainingError
            If a loss or a prediction is not finite, with step and learning rate; or if memory runs out
            with one window at a time.
        """
        training = self.spec.training
        with freed_memory_kept(self._rows.device.type):
            try:
                if self.epoch == 0 and training.first_epoch == 0 and self.model.offset is not None:
                    yield self._untrained()
                while self.epoch < training.max_epochs and not self._has_waited():
                    yield self._next_epoch()
            finally:
                self.model.load_state_dict(self.best_state)

    def train_epochs(self, n_epochs: int) -> None:
        """Train so many epochs further without looking at a validation day; the model holds the last one's weights.

        Raises
        ------
        TrainingError
            As :meth:`epochs`.
        """
        with freed_memory_kept(self._rows.device.type):
            for _ in range(n_epochs):
                self.train_epoch()
            if self.average is not None:
                self.average.settle()

    def train_epoch(self) -> float:
        """Train one epoch further without looking at a validation day: its mean loss.

        Raises
        ------
        TrainingError
            As :meth:`epochs`.
        """
        started = time.perf_counter()
        (losses_S,), batches, _ = self._step_through()
        self.epoch += 1
        self.seconds += time.perf_counter() - started
        return _mean_loss(losses_S, batches)

    def _has_waited(self) -> bool:
        patience = self.spec.training.patience
        return patience > 0 and self.epoch - self.best_epoch >= patience

    def _untrained(self) -> EpochResult:
        """Evaluate the model as it starts."""
        started = time.perf_counter()
        rows = self.windows.rows.validation
        p_N = predict_on_device(self.model, self.windows, rows).cpu().numpy()
        return self._result(_evaluate(self.windows, rows, p_N), started, math.nan, math.nan)

    def _next_epoch(self) -> EpochResult:
        started = time.perf_counter()
        rows = self.windows.rows.validation
        (losses_S, p_N), batches, rates_S = self._step_through(rows)
        try:
            validation = _evaluate(self.windows, rows, p_N)
        except TrainingError as error:
            last_step = (self.epoch + 1) * self.steps_per_epoch
            raise TrainingError(f"{error}{_after(last_step, rates_S[-1])}") from error
        self.epoch += 1
        return self._result(validation, started, _mean_loss(losses_S, batches), rates_S[-1])

    def _result(self, validation: Evaluation, started: float, train_loss: float, rate: float) -> EpochResult:
        """Keep the weights if they are the best, and say how the epoch went."""
        seconds = time.perf_counter() - started
        self.seconds += seconds
        training = self.spec.training
        is_best = validation.loss < self.best_loss if training.patience else self.epoch > 0
        if is_best:
            self.best_loss, self.best_epoch = validation.loss, self.epoch
            self.keep_weights()
        return EpochResult(
            epoch=self.epoch,
            train_loss=train_loss,
            validation=validation,
            learning_rate=rate,
            samples_per_second=len(self._rows) / seconds if self.epoch else math.nan,
            is_best=is_best,
        )

    @torch.no_grad()
    def keep_weights(self) -> None:
        """Keep the weights of now as the best, over those that were: a second copy of them would be one too many."""
        with self._averaged():
            for name, tensor in self.model.state_dict().items():
                self.best_state[name].copy_(tensor)

    def _averaged(self) -> AbstractContextManager[None]:
        """Give the model, inside, the weights that are evaluated and kept."""
        return nullcontext() if self.average is None else self.average.in_place()

    def _step_through(
        self, predicted: npt.NDArray[np.int64] | None = None
    ) -> tuple[list[npt.NDArray[np.float64]], tuple[Tensor, ...], list[float]]:
        """Take an epoch's steps: on the host its losses and the probabilities of what is predicted; batches, rates."""
        order = self._rows[torch.randperm(len(self._rows), generator=self.generator).to(self._rows.device)]
        torch.manual_seed(int(torch.randint(2**62, (), generator=self.generator)))
        batches = order.split(self.spec.training.batch_size)
        losses_S, rates_S = self._stepper.run(batches)
        with self._averaged():
            after = [] if predicted is None else [predict_on_device(self.model, self.windows, predicted)]
        on_host = _to_host(losses_S, *after)
        _require_finite(on_host[0], rates_S, first_step=self.epoch * self.steps_per_epoch + 1)
        return on_host, batches, rates_S


def _to_host(*tensors: Tensor) -> list[npt.NDArray[np.float64]]:
    """Vectors to the host in one transfer, which is the epoch's one synchronisation with the device."""
    joined = torch.cat([in_float64(tensor) for tensor in tensors]).cpu().numpy()
    return np.split(joined, np.cumsum([len(tensor) for tensor in tensors])[:-1])


def _mean_loss(losses_S: npt.NDArray[np.float64], batches: tuple[Tensor, ...]) -> float:
    return float(np.average(losses_S, weights=[len(batch) for batch in batches]))


def _require_finite(losses_S: npt.NDArray[np.float64], rates_S: list[float], first_step: int) -> None:
    broken = np.flatnonzero(~np.isfinite(losses_S))
    if len(broken):
        i = int(broken[0])
        raise TrainingError(f"loss must be finite, got {losses_S[i]}{_after(first_step + i, rates_S[i])}")


def _after(step: int, rate: float) -> str:
    return f" at step {step} with learning rate {rate:.3g}; lower learning_rate or clip_norm"


@torch.no_grad()
def predict_on_device(model: PatchTST, windows: Windows, rows: npt.NDArray[np.int64]) -> Tensor:
    """Probabilities of shape (rows,), float64, on the model's device, or on the host where that has no float64."""
    model.eval()
    batches = to_tensor(rows, windows.x_NTF.device).split(EVALUATION_BATCH)
    return predict_proba(torch.cat([model(windows.batch(part)[0]) for part in batches]))


def predict_rows(model: PatchTST, windows: Windows, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Probabilities of shape (rows,) for these forecast rows."""
    return predict_on_device(model, windows, rows).cpu().numpy()


def _evaluate(windows: Windows, rows: npt.NDArray[np.int64], p_N: npt.NDArray[np.float64]) -> Evaluation:
    broken = int((~np.isfinite(p_N)).sum())
    if broken:
        raise TrainingError(f"predictions must be finite, got {broken} of {len(p_N)} that are not")
    return evaluate(windows.outcomes(rows), p_N)
