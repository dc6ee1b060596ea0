"""Pace: how long a training step and a validation pass take on this device, measured by doing them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import fmean

import numpy as np
import torch

from model.network.patchtst import make_model
from model.spec.architecture import Architecture
from model.spec.spec import Spec
from model.training.device import CPU, kind_of
from model.training.execution import Execution
from model.training.objective import make_objective
from model.training.optimizer import make_optimizer, make_schedule
from model.training.step import Stepper
from model.training.trainer import predict_on_device
from model.windows import Windows, to_tensor

LIMIT_SECONDS = 0.8
REPEATS = 4
SCHEDULED_STEPS = 1000
GPU_WARM_UP = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """How fast a model is trained.

    Parameters
    ----------
    architecture : Architecture
        Of the model.
    step_seconds : float
        Of an optimisation step on a whole batch.
    validation_seconds : float
        Of one pass over the validation days.
    measured_layers : int
        Layers of the deepest model that was run; with fewer than the architecture has, the rest is extrapolated.
    """

    architecture: Architecture
    step_seconds: float
    validation_seconds: float
    measured_layers: int

    @property
    def extrapolated(self) -> bool:
        """Whether the times are those of fewer layers, extended."""
        return self.measured_layers < self.architecture.n_layers


def measure_pace(spec: Spec, windows: Windows, execution: Execution, *, limit: float = LIMIT_SECONDS) -> Pace:
    """Train a model of the spec for a few steps that nobody keeps.

    A model with one layer is run first.  Where a step of all layers would take
    longer than the limit, as many layers are run as do not, and the time is extended in a straight line:
    layers are alike.  The validation pass is extended in proportion.  A base logit is left out: its share
    of a step is one addition.  On a CPU a trial has one thread, and so has this.

    Parameters
    ----------
    spec : Spec
        Its architecture and training; the batch is one of the training rows.
    windows : Windows
        On the device.
    execution : Execution
        How it would be computed.
    limit : float
        Seconds that one step may take, about.
    """
    depth = spec.architecture.n_layers
    device = windows.x_NTF.device
    with _one_thread(), kind_of(device).random_kept(device):
        model = _Runner(spec, windows, execution, 1, limit)
        one = step = model.step_seconds()
        layers = max(1, min(depth, int(limit / one)))
        if layers > 1:
            model = _Runner(spec, windows, execution, layers, limit)
            step = model.step_seconds()
        each = one if layers == 1 else max(0.0, step - one) / (layers - 1)
        whole = step + (depth - layers) * each
        return Pace(
            architecture=spec.architecture,
            step_seconds=whole,
            validation_seconds=model.validation_seconds() * whole / step,
            measured_layers=layers,
        )


@contextmanager
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


class _Runner:
    """A model of some of the spec's layers, ready for steps on one batch."""

    def __init__(self, spec: Spec, windows: Windows, execution: Execution, layers: int, limit: float) -> None:
        training, device = spec.training, windows.x_NTF.device
        model = make_model(spec, n_layers=layers, bare=True)
        model.set_statistics(windows.training_days().cpu())
        model.to(device)
        optimizer = make_optimizer(model, training)
        schedule = make_schedule(optimizer, training, SCHEDULED_STEPS)
        chosen = np.linspace(0, len(windows.train_rows) - 1, training.batch_size).astype(np.int64)
        self._rows = to_tensor(windows.train_rows[chosen], device)
        self._model, self._windows, self._limit = model, windows, limit
        self._stepper = Stepper(
            model, make_objective(model, windows, training), training, optimizer, schedule, execution
        )

    def step_seconds(self) -> float:
        return _seconds(lambda: self._stepper.run((self._rows,))[0], self._rows.device, self._limit)

    def validation_seconds(self) -> float:
        rows = self._windows.rows.validation
        return _seconds(lambda: predict_on_device(self._model, self._windows, rows), self._rows.device, self._limit)


def _seconds(work: Callable[[], torch.Tensor], device: torch.device, limit: float) -> float:
    """Mean time of a few runs; the first, which allocates, counts only if there was no time for another.

    On a CPU that is processor time of one thread, so that what else runs on the machine now does not count.
    """
    on_host = device.type == CPU
    clock = time.thread_time if on_host else time.perf_counter
    for _ in range(0 if on_host else GPU_WARM_UP):
        work().cpu()
    times: list[float] = []
    ends = time.perf_counter() + limit
    while not times or (len(times) <= REPEATS and time.perf_counter() < ends):
        started = clock()
        work().cpu()
        times.append(clock() - started)
    return fmean(times[1:] or times)
