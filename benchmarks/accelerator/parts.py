"""The parts of the benchmark, each a function from the workplace to what it found."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import torch

from benchmarks.accelerator.cards import Peak
from benchmarks.made_up import recipe_spec, recipe_windows
from model.spec.architecture import Architecture, total_parameters
from model.spec.spec import Spec
from model.training.device import kind_of
from model.training.execution import GIB, Execution, choose_execution
from model.training.memory import available_memory, measured_peak, memory_in_use
from model.training.objective import DistributionObjective
from model.training.trainer import Trainer, build_model, predict_on_device
from model.windows import Windows

FLOAT32_TOLERANCE, BFLOAT16_TOLERANCE, MEMORY_TOLERANCE = 1e-4, 3e-2, 0.1
"""Relative: of losses in float32, where the order of sums differs; of losses as trials are computed; of memory."""
ASKED_SHARE, ASKED_SPEED_UP, ASKED_TRIAL_SECONDS = 0.4, 10.0, 300.0
Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Scale:
    """How much is done.

    Parameters
    ----------
    shapes : dict
        Dimensions by name, the smallest and deepest first.
    batch, steps, rounds : int
        Windows a step, steps a timed epoch, timed epochs at most.
    seconds : float
        Of timed epochs of one way to compute a shape, about.
    trial_rows, validation_rows, trial_epochs : int
        Of the whole trial.
    loss_epochs : int
        Of which the losses are compared.
    is_judged : bool
        Whether what was asked of speed and memory is held against what was found.
    """

    shapes: dict[str, tuple[int, int, int, int]]
    batch: int
    steps: int
    rounds: int
    seconds: float
    trial_rows: int
    validation_rows: int
    trial_epochs: int
    loss_epochs: int = 6
    is_judged: bool = True


FULL = Scale(
    shapes={
        "2M deep": (64, 48, 8, 256),
        "2M wide": (256, 3, 8, 1024),
        "20M deep": (128, 96, 8, 512),
        "20M wide": (512, 6, 8, 2048),
        "200M deep": (384, 128, 8, 1536),
        "200M wide": (2048, 4, 16, 8192),
        "2B deep": (1024, 160, 16, 4096),
        "2B wide": (2048, 40, 16, 8192),
    },
    batch=128,
    steps=10,
    rounds=8,
    seconds=2.0,
    trial_rows=59 * 128,
    validation_rows=500,
    trial_epochs=6,
)
SMALL = Scale(
    shapes={"2M deep": (8, 3, 2, 16), "2M wide": (16, 1, 2, 32), "2B wide": (16, 2, 2, 32)},
    batch=32,
    steps=2,
    rounds=2,
    seconds=0.05,
    trial_rows=96,
    validation_rows=40,
    trial_epochs=2,
    loss_epochs=2,
    is_judged=False,
)


@dataclass(frozen=True, kw_only=True)
class Workplace:
    """Where and how much: a device, its peak, and the scale."""

    device: torch.device
    peak: Peak
    scale: Scale
    rates: dict[str, float] = field(default_factory=dict)

    def spec(self, name: str, **training: Any) -> Spec:
        """Spec of one of the shapes."""
        return recipe_spec(self.scale.shapes[name], batch_size=self.scale.batch, **training)

    def windows(self, spec: Spec, n_train: int, device: torch.device | None = None) -> Windows:
        """Windows on the device, or on another."""
        return recipe_windows(spec, n_train, self.scale.validation_rows, device or self.device)

    def execution(self, spec: Spec, windows: Windows) -> Execution:
        """How a trial would be computed here."""
        return choose_execution(spec, self.device, rows=len(windows.x_DF), available=available_memory(self.device))


def losses(place: Workplace) -> Row:
    """Mean losses of a few epochs on the device beside the CPU's, in float32 and as a trial is computed."""
    scale, spec = place.scale, place.spec("2M wide", dropout=0.0, weight_average=0.0)
    n_train, cpu = scale.steps * scale.batch, torch.device("cpu")
    plain = Execution(micro_batch=scale.batch)
    with thresholds_of_the_host():
        expected = _epoch_losses(spec, place.windows(spec, n_train, cpu), plain, scale.loss_epochs)
        exact = _epoch_losses(spec, place.windows(spec, n_train), plain, scale.loss_epochs)
    windows = place.windows(spec, n_train)
    execution = place.execution(spec, windows)
    chosen = _epoch_losses(spec, windows, execution, scale.loss_epochs)
    off = {
        "float32": max(abs(a / b - 1) for a, b in zip(exact, expected, strict=True)),
        "as a trial": max(abs(a / b - 1) for a, b in zip(chosen, expected, strict=True)),
    }
    kept = off["float32"] <= FLOAT32_TOLERANCE and off["as a trial"] <= BFLOAT16_TOLERANCE
    return {
        "cpu": expected,
        "device": exact,
        "as a trial": chosen,
        "execution": _execution_text(execution),
        "off": off,
        "kept": kept,
        "text": f"off by {off['float32']:.1e} in float32 (≤ {FLOAT32_TOLERANCE:g}), {off['as a trial']:.1e} as a "
        f"trial is computed (≤ {BFLOAT16_TOLERANCE:g})",
    }


@contextmanager
def thresholds_of_the_host() -> Iterator[None]:
    """Draw a distribution's random thresholds on the host, which are the same for every device."""

    def draw(shape: tuple[int, ...], device: torch.device) -> torch.Tensor:
        return torch.rand(shape).to(device)

    with patch.object(DistributionObjective, "draw", staticmethod(draw)):
        yield


def _epoch_losses(spec: Spec, windows: Windows, execution: Execution, epochs: int) -> list[float]:
    trainer = Trainer(spec, windows, build_model(spec, windows), execution)
    return [trainer.train_epoch() for _ in range(epochs)]


def resume(place: Workplace) -> Row:
    """Training stopped after half of its epochs and gone on with in a fresh trainer, beside one that was not."""
    try:
        from model.training.resume import resume_training, save_training
    except ImportError as error:
        return {"skipped": f"{error.name} is not installed"}
    scale, spec = place.scale, place.spec("2M wide", dropout=0.2)
    windows = place.windows(spec, scale.steps * scale.batch)
    execution = place.execution(spec, windows)
    half = max(1, scale.loss_epochs // 2)

    def fresh() -> Trainer:
        return Trainer(spec, windows, build_model(spec, windows), execution)

    whole, again = fresh(), fresh()
    expected, repeated = ([each.train_epoch() for _ in range(2 * half)] for each in (whole, again))
    with TemporaryDirectory() as directory:
        path, stopped = Path(directory) / "state.safetensors", fresh()
        found = [stopped.train_epoch() for _ in range(half)]
        save_training(path, stopped)
        resumed = fresh()
        resume_training(path, resumed)
    found += [resumed.train_epoch() for _ in range(half)]
    weights = [trainer.model.state_dict() for trainer in (whole, again, resumed)]
    apart = [max(float((w[name] - weights[0][name]).abs().max()) for name in w) for w in weights[1:]]
    is_equal = found == expected and apart[1] == 0
    return {
        "losses": expected,
        "repeated_equal": repeated == expected and apart[0] == 0,
        "resumed_equal": is_equal,
        "weights_apart": {"repeated": apart[0], "resumed": apart[1]},
        "kept": is_equal,
        "text": "bit-equal"
        if is_equal
        else f"weights differ by {apart[1]:.1e}, of a mere repetition by {apart[0]:.1e}",
    }


def step_flops(a: Architecture, batch: int) -> float:
    """Operations of the products of one step, forward and backward: six a weight and row, and attention's own."""
    d, rows = a.d_model, batch * a.n_tokens
    block = 4 * d * d + 2 * d * a.d_ff
    inputs = batch * (a.n_patches * a.patch_length * a.n_features + a.n_static) * d
    head = batch * a.n_tokens * d * a.n_outputs
    attention = 2 * batch * a.n_layers * a.n_tokens**2 * d
    return 6.0 * (rows * a.n_layers * block + inputs + head + attention)


def ways(place: Workplace, spec: Spec, windows: Windows) -> dict[str, Execution]:
    """Ways to compute a shape here: eager, compiled, recorded, in the precision of the device."""
    kind, chosen = kind_of(place.device), place.execution(spec, windows)
    plain = Execution(micro_batch=chosen.micro_batch, precision=chosen.precision, recompute=chosen.recompute)
    found = {"eager": plain}
    if kind.compiles:
        found["compiled"] = Execution(**{**_fields(plain), "compiled": True})
    if kind.graphs and chosen.graphed:
        found["graphs"] = Execution(**{**_fields(plain), "compiled": True, "graphed": True})
    return found


def _fields(execution: Execution) -> dict[str, Any]:
    return {name: getattr(execution, name) for name in ("micro_batch", "precision", "recompute")}


def steps_of(name: str, only: tuple[str, ...] = ()) -> Callable[[Workplace], Row]:
    """Make the part that times the steps of a shape, in every way or in some."""

    def part(place: Workplace) -> Row:
        spec = place.spec(name)
        windows = place.windows(spec, place.scale.steps * place.scale.batch)
        given = ways(place, spec, windows)
        last = list(given)[-1]
        chosen = {way: each for way, each in given.items() if not only or way in only or way == last}
        before = memory_in_use(place.device)
        model = build_model(spec, windows)  # one for all ways, the uncompiled first: a block stays compiled
        rows = []
        for way, execution in chosen.items():
            rows.append(_timed(place, Trainer(spec, windows, model, execution), way, before))
            free(place.device)
        best = min(row["step_seconds"] for row in rows)
        return {"rows": rows, "faster": rows[0]["step_seconds"] / best, "asked": _asked(place, name, rows, best)}

    return part


def _timed(place: Workplace, trainer: Trainer, way: str, before: int) -> Row:
    """Time epochs of a few steps, after one that allocates, compiles and records."""
    device, scale, spec = place.device, place.scale, trainer.spec
    estimated = trainer.execution.memory(spec, device, len(trainer.windows.x_DF)).total
    with measured_peak(device, before) as peak:
        started = time.perf_counter()
        trainer.train_epoch()
        first = time.perf_counter() - started
        seconds: list[float] = []
        while not seconds or (len(seconds) < scale.rounds and sum(seconds) < scale.seconds):
            kind_of(device).synchronize(device)
            started = time.perf_counter()
            trainer.train_epoch()
            seconds.append((time.perf_counter() - started) / trainer.steps_per_epoch)
    step = statistics.median(seconds)
    flops = step_flops(spec.architecture, spec.training.batch_size)
    return {
        "way": way,
        "architecture": spec.architecture.label,
        "n_params": total_parameters(spec.architecture),
        "execution": _execution_text(trainer.execution),
        "step_seconds": step,
        "first_seconds": first,
        "flops": flops,
        "share_of_peak": flops / step / place.peak.flops,
        "memory_estimated": estimated,
        "memory_measured": peak.value,
        "memory_ratio": estimated / peak.value if peak.value else None,
    }


def _asked(place: Workplace, name: str, rows: list[Row], best: float) -> dict[str, bool]:
    """Hold what was asked of a shape against what was found."""
    asked: dict[str, bool] = {}
    if not place.scale.is_judged:
        return asked
    if name.startswith(("200M", "2B")):
        asked[f"share of peak ≥ {ASKED_SHARE:.0%}"] = max(row["share_of_peak"] for row in rows) >= ASKED_SHARE
    if name == "2M deep":
        asked[f"≥ {ASKED_SPEED_UP:g} × eager"] = rows[0]["step_seconds"] / best >= ASKED_SPEED_UP
    ratios = [row["memory_ratio"] for row in rows if row["memory_ratio"] is not None]
    if ratios:
        asked[f"estimate within {MEMORY_TOLERANCE:.0%}"] = all(abs(each - 1) <= MEMORY_TOLERANCE for each in ratios)
    return asked


def trial(place: Workplace) -> Row:
    """Take one whole trial of the largest shape: built, trained, evaluated each epoch, its best weights kept."""
    scale, spec = place.scale, place.spec("2B wide", max_epochs=place.scale.trial_epochs)
    before, began = memory_in_use(place.device), time.perf_counter()
    with measured_peak(place.device, before) as peak:
        windows = place.windows(spec, scale.trial_rows)
        execution = place.execution(spec, windows)
        trainer = Trainer(spec, windows, build_model(spec, windows), execution)
        built = time.perf_counter() - began
        epochs = []
        for _ in range(scale.trial_epochs):
            started = time.perf_counter()
            trainer.train_epoch()
            assert trainer.average is not None
            with trainer.average.in_place():
                predict_on_device(trainer.model, windows, windows.rows.validation).cpu()
            trainer.keep_weights()
            epochs.append(time.perf_counter() - started)
    seconds = time.perf_counter() - began
    estimated = execution.memory(spec, place.device, len(windows.x_DF)).total
    return {
        "architecture": spec.architecture.label,
        "n_params": total_parameters(spec.architecture),
        "execution": _execution_text(trainer.execution),
        "build_seconds": built,
        "epoch_seconds": epochs,
        "seconds": seconds,
        "steps": trainer.steps_per_epoch * len(epochs),
        "memory_estimated": estimated,
        "memory_measured": peak.value,
        "asked": {f"under {ASKED_TRIAL_SECONDS / 60:g} min": seconds < ASKED_TRIAL_SECONDS} if scale.is_judged else {},
        "text": f"{seconds:.1f} s: {built:.1f} s to build, {len(epochs)} epochs of {trainer.steps_per_epoch} steps, "
        f"the first {epochs[0]:.1f} s, the last {epochs[-1]:.1f} s; {estimated / GIB:.2f} GiB estimated, "
        f"{'unknown' if peak.value is None else f'{peak.value / GIB:.2f} GiB'} measured; no files written",
    }


def _execution_text(execution: Execution) -> str:
    settings = {"recomputed": execution.recompute, "compiled": execution.compiled, "graphs": execution.graphed}
    named = [name for name, is_so in settings.items() if is_so]
    return ", ".join([f"{execution.precision}, {execution.micro_batch} windows at a time", *named])


def free(device: torch.device) -> None:
    gc.collect()
    kind_of(device).empty_cache()
