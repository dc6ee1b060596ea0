"""Time of one training step on a CPU, against its own matrix products and against torch's ready-made encoder.

    python -m benchmarks.train_step [--shape d64-L48-h8-ff256 ...] [--rounds 9] [--batch 128]

One thread, float32, 9 patches of 25 features, dropout 0.1.  For every shape, in turns:

products  forward and both backward products of the blocks' four linear layers, nothing else
ours      a whole step of the project's Stepper: gather windows, forward, loss, backward, clipping, AdamW
plain     the same with torch's own attention and dropout (``set_execution(plain=True)``)
torch     nn.TransformerEncoder of the same dimensions, a DataLoader over materialised windows, default AdamW

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
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from model.network.patchtst import PatchTST
from model.spec.architecture import Architecture, total_parameters
from model.spec.spec import Training
from model.training.allocator import keep_freed_memory
from model.training.execution import Execution
from model.training.objective import make_objective
from model.training.optimizer import make_optimizer, make_schedule
from model.training.step import Stepper
from model.windows import Windows
from pipeline.splits.splits import SplitRows

CONTEXT, FEATURES, DROPOUT, DAYS = 50, 25, 0.1, 4000
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


def architecture_of(label: str) -> Architecture:
    """Architecture of a label like ``d64-L48-h8-ff256``."""
    found = re.fullmatch(r"d(\d+)-L(\d+)-h(\d+)-ff(\d+)", label)
    if found is None:
        raise SystemExit(f"a shape must look like d64-L48-h8-ff256, got {label!r}")
    d_model, n_layers, n_heads, d_ff = map(int, found.groups())
    return Architecture(
        n_features=FEATURES, context_length=CONTEXT, d_model=d_model, n_layers=n_layers, n_heads=n_heads, d_ff=d_ff
    )


def matrix_products(architecture: Architecture, batch: int) -> Step:
    """Products of all layers and all windows; the operands stay in the cache, as they don't in a real step."""
    rows, d, d_ff = batch * architecture.n_patches, architecture.d_model, architecture.d_ff
    sizes = [(d, 3 * d), (d, d), (d, d_ff), (d_ff, d)]
    operands = [(torch.randn(rows, n), torch.randn(m, n), torch.randn(rows, m)) for n, m in sizes]

    def step() -> None:
        for _ in range(architecture.n_layers):
            for x, weight, gradient in operands:
                torch.mm(x, weight.t())
                torch.mm(gradient, weight)
                torch.mm(gradient.t(), x)

    return step


def made_up_windows() -> Windows:
    """Random features and labels."""
    labels = torch.randint(2, (DAYS,)).float()
    rows = np.arange(CONTEXT, DAYS)
    x_DF = torch.randn(DAYS, FEATURES)
    return Windows(
        x_DF=x_DF,
        x_NTF=x_DF.unfold(0, CONTEXT, 1).transpose(1, 2),
        y_D=labels,
        y_host_D=labels.numpy(),
        dates_D=np.datetime64("2000-01-01") + np.arange(DAYS),
        rows=SplitRows(train=rows, validation=rows, test=rows),
        train_rows=rows,
        context_length=CONTEXT,
    )


def our_step(architecture: Architecture, windows: Windows, batch: int, *, plain: bool) -> Step:
    """Make a step of the project's own code."""
    model, training = PatchTST(architecture, dropout=DROPOUT), Training(learning_rate=1e-3, batch_size=batch)
    optimizer = make_optimizer(model, training)
    schedule = make_schedule(optimizer, training, total_steps=1000)
    objective = make_objective(model, windows, training)
    stepper = Stepper(model, objective, training, optimizer, schedule, Execution(micro_batch=batch))
    model.set_execution(plain=plain)
    return lambda: stepper.run((torch.randint(CONTEXT, DAYS, (batch,)),))


class TorchEncoder(nn.Module):
    """The same model from torch's ready-made parts."""

    def __init__(self, a: Architecture) -> None:
        super().__init__()
        self.architecture = a
        self.embedding = nn.Linear(a.patch_length * a.n_features, a.d_model)
        self.positions = nn.Parameter(0.02 * torch.randn(a.n_patches, a.d_model))
        self.dropout = nn.Dropout(DROPOUT)
        layer = nn.TransformerEncoderLayer(
            a.d_model, a.n_heads, a.d_ff, DROPOUT, activation="gelu", batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, a.n_layers, nn.LayerNorm(a.d_model), enable_nested_tensor=False)
        self.head = nn.Linear(a.n_patches * a.d_model, 1)

    def forward(self, x_BTF: Tensor) -> Tensor:
        patches_BPX = x_BTF.unfold(1, self.architecture.patch_length, self.architecture.stride).flatten(2)
        tokens_BPD = self.dropout(self.embedding(patches_BPX) + self.positions)
        return self.head(self.encoder(tokens_BPD).flatten(1)).squeeze(1)


def torch_step(architecture: Architecture, windows: Windows, batch: int) -> Step:
    """Make a step of what a user of torch would write."""
    model = TorchEncoder(architecture)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    dataset = TensorDataset(windows.x_NTF.contiguous(), windows.y_D[CONTEXT - 1 :])
    batches = _endless(DataLoader(dataset, batch_size=batch, shuffle=True, drop_last=True))

    def step() -> None:
        x_BTF, y_B = next(batches)
        optimizer.zero_grad()
        functional.binary_cross_entropy_with_logits(model(x_BTF), y_B).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    return step


def _endless(loader: DataLoader[tuple[Tensor, ...]]) -> Iterator[tuple[Tensor, ...]]:
    for _ in cycle([None]):
        yield from loader


def make_step(kind: str, label: str, batch: int) -> Step:
    """Make a step of one of the four kinds."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    architecture = architecture_of(label)
    if kind == "products":
        return matrix_products(architecture, batch)
    if kind == "torch":
        return torch_step(architecture, made_up_windows(), batch)
    return our_step(architecture, made_up_windows(), batch, plain=kind == "plain")


def timed(step: Step) -> Timed:
    """Take the step; seconds of processor time."""

    def run() -> float:
        start = time.process_time()
        step()
        return time.process_time() - start

    return run


def _serve(connection: Connection, kind: str, label: str, batch: int) -> None:
    """Take a timed step for every word that comes, until the other end closes."""
    run = timed(make_step(kind, label, batch))
    try:
        while connection.recv():
            connection.send(run())
    except EOFError:
        return


@contextmanager
def elsewhere(kind: str, label: str, batch: int) -> Iterator[Timed]:
    """Steps in a process of their own."""
    here, there = get_context("spawn").Pipe()
    process = get_context("spawn").Process(target=_serve, args=(there, kind, label, batch), daemon=True)
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


def in_turns(label: str, batch: int, rounds: int) -> dict[str, list[float]]:
    """Seconds of processor time of every kind of step in every round."""
    with elsewhere("plain", label, batch) as plain, elsewhere("torch", label, batch) as theirs:
        here = {kind: timed(make_step(kind, label, batch)) for kind in ("products", "ours")}
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


def processor() -> str:
    """Model of the CPU as Linux names it."""
    listing = Path("/proc/cpuinfo")
    text = listing.read_text() if listing.exists() else ""
    found = re.search(r"model name\s*: (.+)", text)
    return found[1] if found else platform.processor() or "unknown CPU"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; return 1 where a limit is not kept."""
    parser = argparse.ArgumentParser(description="Time of one training step on a CPU.")
    parser.add_argument("--shape", nargs="+", default=list(LIMITS))
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--batch", type=int, default=128)
    options = parser.parse_args(arguments)

    keep_freed_memory()
    print(f"{date.today()} · Python {platform.python_version()} · torch {torch.__version__} · ", end="")
    print(
        f"{platform.system()} {platform.machine()} · {processor()}, {torch.backends.cpu.get_cpu_capability()} · ",
        end="",
    )
    print(f"{os.cpu_count()} cores, 1 thread · batch {options.batch} · {options.rounds} rounds")
    print("times in ms, the least; ratios, the median")
    print("| shape | size | products | ours | plain | torch |", end="")
    print(" plain / products | ours / products | plain / ours | torch / ours | limits |")
    print("|---|---|---|---|---|---|---|---|---|---|---|", flush=True)
    kept = [
        report(label, in_turns(label, options.batch, options.rounds), total_parameters(architecture_of(label)))
        for label in options.shape
    ]
    return 0 if all(kept) else 1


if __name__ == "__main__":
    raise SystemExit(main())
