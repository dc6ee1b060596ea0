"""The trainer: a generator of epochs that knows nothing of who consumes them."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from model.metrics import Evaluation, evaluate
from model.optimizer import make_optimizer, make_schedule
from model.patchtst import PatchTST, make_model, predict_proba
from model.spec import Spec, Training
from model.windows import Windows, to_tensor
from pipeline.exceptions import InputError, TrainingError

EVALUATION_BATCH = 512


@dataclass(frozen=True, kw_only=True, slots=True)
class EpochResult:
    """What one epoch did.

    Parameters
    ----------
    epoch : int
        From 1.
    train_loss : float
        Sample-weighted mean log loss of the training batches, dropout on.
    validation : Evaluation
        After the epoch.
    learning_rate : float
        Of the epoch's last step.
    samples_per_second : float
        Training windows a second, without validation.
    is_best : bool
        Whether the validation loss is the lowest so far.
    """

    epoch: int
    train_loss: float
    validation: Evaluation
    learning_rate: float
    samples_per_second: float
    is_best: bool


def build_model(spec: Spec, windows: Windows) -> PatchTST:
    """Build a model with the spec's seed and the training days' statistics."""
    torch.manual_seed(spec.seed)
    model = make_model(spec)
    model.set_statistics(windows.training_days().cpu())
    return model.to(windows.x_NTF.device)


def train(spec: Spec, windows: Windows, model: PatchTST) -> Iterator[EpochResult]:
    """Train, yielding after each epoch; when exhausted, ``model`` holds the best epoch's weights.

    Raises
    ------
    TrainingError
        If a loss or a prediction is not finite, with step and learning rate.
    """
    training = spec.training
    device = windows.x_NTF.device
    train_rows = to_tensor(windows.rows.train, device)
    steps = math.ceil(len(train_rows) / training.batch_size)
    optimizer = make_optimizer(model, training)
    schedule = make_schedule(optimizer, training, steps * training.max_epochs)
    shuffle = torch.Generator().manual_seed(spec.seed)
    best_loss, best_epoch, best_state = math.inf, 0, copy.deepcopy(model.state_dict())
    try:
        for epoch in range(1, training.max_epochs + 1):
            started = time.perf_counter()
            order = train_rows[torch.randperm(len(train_rows), generator=shuffle).to(device)]
            torch.manual_seed(int(torch.randint(2**62, (), generator=shuffle)))
            batches = order.split(training.batch_size)
            losses_S, rates_S = _run_epoch(model, windows, batches, optimizer, schedule, training)
            seconds = time.perf_counter() - started
            _require_finite(losses_S, rates_S, first_step=(epoch - 1) * steps + 1)
            try:
                validation = evaluate_rows(model, windows, windows.rows.validation)
            except TrainingError as error:
                raise TrainingError(f"{error}{_after(epoch * steps, rates_S[-1])}") from error
            is_best = validation.loss < best_loss
            if is_best:
                best_loss, best_epoch, best_state = validation.loss, epoch, copy.deepcopy(model.state_dict())
            yield EpochResult(
                epoch=epoch,
                train_loss=float(np.average(losses_S, weights=[len(rows) for rows in batches])),
                validation=validation,
                learning_rate=rates_S[-1],
                samples_per_second=len(order) / seconds,
                is_best=is_best,
            )
            if epoch - best_epoch >= training.patience:
                return
    finally:
        model.load_state_dict(best_state)


def _run_epoch(
    model: PatchTST,
    windows: Windows,
    batches: tuple[Tensor, ...],
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    training: Training,
) -> tuple[npt.NDArray[np.float64], list[float]]:
    """One pass over the batches; loss and learning rate of each step, the losses read from the device once."""
    model.train()
    losses, rates = [], []
    for rows in batches:
        x_BTF, y_B = windows.batch(rows)
        optimizer.zero_grad(set_to_none=True)
        y_B = y_B + training.label_smoothing * (0.5 - y_B)
        loss = functional.binary_cross_entropy_with_logits(model(x_BTF), y_B)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), training.clip_norm)
        rates.append(float(schedule.get_last_lr()[0]))
        optimizer.step()
        schedule.step()
        losses.append(loss.detach())
    return torch.stack(losses).double().cpu().numpy(), rates


def _require_finite(losses_S: npt.NDArray[np.float64], rates_S: list[float], first_step: int) -> None:
    broken = np.flatnonzero(~np.isfinite(losses_S))
    if len(broken):
        i = int(broken[0])
        raise TrainingError(f"loss must be finite, got {losses_S[i]}{_after(first_step + i, rates_S[i])}")


def _after(step: int, rate: float) -> str:
    return f" at step {step} with learning rate {rate:.3g}; lower learning_rate or clip_norm"


@torch.no_grad()
def predict_rows(model: PatchTST, windows: Windows, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Probabilities of shape (rows,) for these forecast rows."""
    model.eval()
    device = windows.x_NTF.device
    logits = [model(windows.batch(part)[0]) for part in to_tensor(rows, device).split(EVALUATION_BATCH)]
    return predict_proba(torch.cat(logits)).cpu().numpy()


def evaluate_rows(model: PatchTST, windows: Windows, rows: npt.NDArray[np.int64]) -> Evaluation:
    """Evaluate the model on these forecast rows.

    Raises
    ------
    TrainingError
        If a probability is not finite.
    """
    p = predict_rows(model, windows, rows)
    if not np.isfinite(p).all():
        raise TrainingError(f"predictions must be finite, got {int((~np.isfinite(p)).sum())} of {len(p)} that are not")
    return evaluate(windows.y_D.cpu().numpy()[rows].astype(np.float64), p)


def choose_device(name: str) -> Any:
    """Return the torch device that the user asked for.

    Raises
    ------
    InputError
        If it is not cpu, cuda or auto, or no GPU is there.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise InputError(f"device must be auto, cpu or cuda, got {name!r}")
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("device cuda needs a GPU that torch can use, got none; take auto or cpu")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")
