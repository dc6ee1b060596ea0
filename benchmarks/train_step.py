"""Time of one training step on a CPU, against its own matrix products and against torch's ready-made encoder.

    python -m benchmarks.train_step [--shape d64-L48-h8-ff256 ...] [--rounds 9] [--batch 128] [--window 50/10/5]

One thread, float32, the recipe that is the default: rows of two tickers, a distribution that adds to a linear one, an
average of weights, dropout 0.1, and a window of CONTEXT/PATCH/STRIDE days whose patches have a token of static features
beside them.  For every shape, in turns:

products  forward and both backward products of the blocks' four linear layers, nothing else
ours      a whole step of the project's Stepper: gather windows, forward, loss, backward, clipping, AdamW, average
plain     the same with torch's own attention and dropout (``set_execution(plain=True)``)
torch     nn.TransformerEncoder of the same dimensions and tokens with the same loss, a DataLoader over materialised
          windows, default AdamW; nothing under it, no average

The first two share a process, in which freed memory is kept as the Trainer has it (model.training.allocator); the
others have a process each, with the allocator as it comes.  Times are of the processor, so that waiting for a core that
others hold is not counted.  Ratios are medians of the rounds' own ratios, in which a slow spell of the machine touches
both sides.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from itertools import cycle
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.made_up import recipe_spec, recipe_windows
from model.network.distribution import Mixture
from model.network.reach_loss import reach_loss
from model.spec.architecture import Architecture, total_parameters
from model.spec.spec import Spec
from model.training import host_memory
from model.training.allocator import keep_freed_memory
from model.training.execution import Execution
from model.training.objective import make_objective, training_reach
from model.training.optimizer import make_optimizer, make_schedule
from model.training.step import Stepper
from model.training.trainer import build_model
from model.training.weight_average import WeightAverage
from model.windows import Windows, to_tensor

DROPOUT, ROWS, WINDOW = 0.1, 4000, "50/10/5"
WARM_UP_ROUNDS = 2

Step = Callable[[], object]
Timed = Callable[[], float]


class Limits(NamedTuple):
    """At most so many times the matrix products, and at least so many times as fast as torch's encoder."""

    products: float
    torch: float


LIMITS = {
    "d64-L48-h8-ff256": Limits(3.0, 1.6),
    "d128-L12-h8-ff512": Limits(2.0, 1.6),
    "d192-L4-h8-ff768": Limits(1.6, 1.6),
    "d512-L6-h8-ff2048": Limits(1.25, 1.3),
}


def spec_of(label: str, batch: int = 128, window: str = WINDOW) -> Spec:
    """Spec of a label like ``d64-L48-h8-ff256`` and a window like ``50/10/5``."""
    found = re.fullmatch(r"d(\d+)-L(\d+)-h(\d+)-ff(\d+)", label)
    if found is None:
        raise SystemExit(f"a shape must look like d64-L48-h8-ff256, got {label!r}")
    days = re.fullmatch(r"(\d+)/(\d+)/(\d+)", window)
    if days is None:
        raise SystemExit(f"a window must look like {WINDOW}, got {window!r}")
    d_model, n_layers, n_heads, d_ff = map(int, found.groups())
    lengths = dict(zip(("context_length", "patch_length", "stride"), map(int, days.groups()), strict=True))
    return recipe_spec((d_model, n_layers, n_heads, d_ff), lengths, batch_size=batch, dropout=DROPOUT)


def matrix_products(architecture: Architecture, batch: int) -> Step:
    """Products of all layers and all windows; the operands stay in the cache, as they don't in a real step."""
    rows, d, d_ff = batch * architecture.n_tokens, architecture.d_model, architecture.d_ff
    sizes = [(d, 3 * d), (d, d), (d, d_ff), (d_ff, d)]
    operands = [(torch.randn(rows, n), torch.randn(m, n), torch.randn(rows, m)) for n, m in sizes]

    def step() -> None:
        for _ in range(architecture.n_layers):
            for x, weight, gradient in operands:
                torch.mm(x, weight.t())
                torch.mm(gradient, weight)
                torch.mm(gradient.t(), x)

    return step


def our_step(spec: Spec, windows: Windows, *, plain: bool) -> Step:
    """Make a step of the project's own code, as a trial takes it."""
    model, training, batch = build_model(spec, windows), spec.training, spec.training.batch_size
    optimizer = make_optimizer(model, training)
    schedule = make_schedule(optimizer, training, total_steps=1000)
    objective, average = make_objective(model, windows, training), WeightAverage(model, training.weight_average)
    stepper = Stepper(model, objective, training, optimizer, schedule, Execution(micro_batch=batch), average)
    model.set_execution(plain=plain)
    rows = to_tensor(windows.train_rows, "cpu")
    return lambda: stepper.run((rows[torch.randint(len(rows), (batch,))],))


class TorchEncoder(nn.Module):
    """The same model from torch's ready-made parts."""

    def __init__(self, a: Architecture) -> None:
        super().__init__()
        self.architecture = a
        self.embedding = nn.Linear(a.patch_length * a.n_features, a.d_model)
        self.static = nn.Linear(a.n_static, a.d_model)
        self.positions = nn.Parameter(0.02 * torch.randn(a.n_tokens, a.d_model))
        self.dropout = nn.Dropout(DROPOUT)
        layer = nn.TransformerEncoderLayer(
            a.d_model, a.n_heads, a.d_ff, DROPOUT, activation="gelu", batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, a.n_layers, nn.LayerNorm(a.d_model), enable_nested_tensor=False)
        self.head = nn.Linear(a.n_tokens * a.d_model, a.n_outputs)

    def forward(self, x_BTF: Tensor) -> Tensor:
        n = self.architecture.n_features
        patches_BPX = x_BTF[..., :n].unfold(1, self.architecture.patch_length, self.architecture.stride).flatten(2)
        tokens_BPD = torch.cat([self.embedding(patches_BPX), self.static(x_BTF[:, -1, n:])[:, None]], 1)
        return self.head(self.encoder(self.dropout(tokens_BPD + self.positions)).flatten(1))


def torch_step(spec: Spec, windows: Windows) -> Step:
    """Make a step of what a user of torch would write."""
    model, training, rows = TorchEncoder(spec.architecture), spec.training, to_tensor(windows.train_rows, "cpu")
    optimizer = torch.optim.AdamW(model.parameters(), lr=training.learning_rate)
    reach_DH, asked_DH = training_reach(build_model(spec, windows), windows)
    dataset = TensorDataset(windows.batch(rows)[0].contiguous(), reach_DH[rows], asked_DH[rows])
    batches = _endless(DataLoader(dataset, batch_size=training.batch_size, shuffle=True, drop_last=True))

    def step() -> None:
        x_BTF, reach_BH, asked_BH = next(batches)
        optimizer.zero_grad()
        random_BHU = torch.rand((*reach_BH.shape, training.n_thresholds)) * training.largest_threshold
        reach_loss(Mixture.of(model(x_BTF)), reach_BH, asked_BH, random_BHU).mean().backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    return step


def _endless(loader: DataLoader[tuple[Tensor, ...]]) -> Iterator[tuple[Tensor, ...]]:
    for _ in cycle([None]):
        yield from loader


def make_step(kind: str, spec: Spec) -> Step:
    """Make a step of one of the four kinds."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    if kind == "products":
        return matrix_products(spec.architecture, spec.training.batch_size)
    windows = recipe_windows(spec, ROWS, n_validation=1)
    return torch_step(spec, windows) if kind == "torch" else our_step(spec, windows, plain=kind == "plain")


def timed(step: Step) -> Timed:
    """Take the step; seconds of processor time."""

    def run() -> float:
        start = time.process_time()
        step()
        return time.process_time() - start

    return run


def _serve(connection: Connection, kind: str, spec: Spec) -> None:
    """Take a timed step for every word that comes, until the other end closes."""
    run = timed(make_step(kind, spec))
    try:
        while connection.recv():
            connection.send(run())
    except EOFError:
        return


@contextmanager
def elsewhere(kind: str, spec: Spec) -> Iterator[Timed]:
    """Steps in a process of their own."""
    here, there = get_context("spawn").Pipe()
    process = get_context("spawn").Process(target=_serve, args=(there, kind, spec), daemon=True)
    process.start()
    there.close()

    def run() -> float:
        here.send(True)
        return here.recv()

    try:
        yield run
    finally:
        here.close()
        process.join()


def in_turns(spec: Spec, rounds: int) -> dict[str, list[float]]:
    """Seconds of processor time of every kind of step in every round."""
    with elsewhere("plain", spec) as plain, elsewhere("torch", spec) as theirs:
        here = {kind: timed(make_step(kind, spec)) for kind in ("products", "ours")}
        steps = {**here, "plain": plain, "torch": theirs}
        table = [{kind: run() for kind, run in steps.items()} for _ in range(WARM_UP_ROUNDS + rounds)]
    return {kind: [row[kind] for row in table[WARM_UP_ROUNDS:]] for kind in steps}


def report(label: str, times: dict[str, list[float]], size: int) -> bool:
    """Print a shape's line; whether its limits are kept."""

    def ratio(above: str, below: str) -> float:
        return statistics.median(a / b for a, b in zip(times[above], times[below], strict=True))

    to_products, to_torch = ratio("ours", "products"), ratio("torch", "ours")
    columns = [f"{1e3 * min(seconds):7.1f}" for seconds in times.values()]
    print(f"| {label} | {size / 1e6:.2f}M | {' | '.join(columns)} |", end="")
    print(
        f" {ratio('plain', 'products'):.2f} | {to_products:.2f} | {ratio('plain', 'ours'):.2f} | {to_torch:.2f} |",
        end="",
    )
    if label not in LIMITS:
        print(" – |", flush=True)
        return True
    limits = LIMITS[label]
    kept = (to_products <= limits.products, to_torch >= limits.torch)
    first, second = ("kept" if one else "MISSED" for one in kept)
    print(f" ≤ {limits.products:g} {first}, ≥ {limits.torch:g} {second} |", flush=True)
    return all(kept)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; return 1 where a limit is not kept."""
    parser = argparse.ArgumentParser(description="Time of one training step on a CPU.")
    parser.add_argument("--shape", nargs="+", default=list(LIMITS))
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--window", default=WINDOW)
    options = parser.parse_args(arguments)
    specs = {label: spec_of(label, options.batch, options.window) for label in options.shape}

    keep_freed_memory()
    chip = f"{host_memory.processor()}, {torch.backends.cpu.get_cpu_capability()}"
    print(f"{date.today()} · Python {platform.python_version()} · torch {torch.__version__} · ", end="")
    print(f"{platform.system()} {platform.machine()} · {chip} · {os.cpu_count()} cores, 1 thread · ", end="")
    print(f"batch {options.batch} · window {options.window} · {options.rounds} rounds")
    print("times in ms, the least; ratios, the median")
    print("| shape | size | products | ours | plain | torch |", end="")
    print(" plain / products | ours / products | plain / ours | torch / ours | limits |")
    print("|---|---|---|---|---|---|---|---|---|---|---|", flush=True)
    kept = [
        report(label, in_turns(spec, options.rounds), total_parameters(spec.architecture))
        for label, spec in specs.items()
    ]
    return 0 if all(kept) else 1


if __name__ == "__main__":
    raise SystemExit(main())
