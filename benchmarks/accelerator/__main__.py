"""What a GPU does with the project's training: right, resumable, how fast, in how much memory.

    python -m benchmarks.accelerator [--device auto] [--out DIRECTORY] [--minutes 7.5] [--small]

One command for a bare machine of a clone: torch 2.11 or newer, numpy and pandas (and psutil where the device is the
CPU, safetensors for the part on resuming); no network, no MLflow, no data.  Features are made up, the recipe is the
default one: a distribution on a linear one, rows of two tickers, an average of weights, windows of 30 days in four
tokens.  Parts stand in the order of what they could show to be wrong; one that would not fit into the minutes that are
left, by what is expected of it, is left out and says so.  ``accelerator.json`` and ``accelerator.md`` are written.

losses    a few epochs beside the CPU's, in float32 and as a trial is computed
resume    training stopped, written, read and gone on with, beside one that was not, bit by bit
steps     time of a step, eager, compiled and as a CUDA graph; its products' share of the card's bfloat16 peak; the
          memory that the project estimates beside what torch allocated
trial     one whole trial of 2B, files left out

The exit code is 1 where a loss or a resumed weight is not as it should be, or a part failed.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import torch

from benchmarks.accelerator.cards import Peak, known_peak, measured_peak
from benchmarks.accelerator.parts import FULL, SMALL, Row, Workplace, free, losses, resume, steps_of, trial
from benchmarks.accelerator.report import as_markdown, write
from model.training.device import CPU, DEVICES, choose_device, kind_of
from pipeline.exceptions import InputError

PRODUCT_SIZE = {True: 256, False: 8192}


class Part(NamedTuple):
    """What is done, and the seconds that it is expected to take at most."""

    name: str
    expected: float
    run: Callable[[Workplace], Row]


FULL_PARTS = (
    Part("losses", 45, losses),
    Part("resume", 45, resume),
    Part("2M deep", 50, steps_of("2M deep")),
    Part("2B wide", 75, steps_of("2B wide", only=("eager",))),
    Part("2B trial", 120, trial),
    Part("200M wide", 30, steps_of("200M wide")),
    Part("200M deep", 45, steps_of("200M deep", only=("eager",))),
    Part("2B deep", 75, steps_of("2B deep", only=("eager",))),
    Part("20M wide", 20, steps_of("20M wide")),
    Part("20M deep", 40, steps_of("20M deep")),
    Part("2M wide", 20, steps_of("2M wide")),
)
SMALL_PARTS = (
    Part("losses", 1, losses),
    Part("resume", 1, resume),
    *(Part(name, 1, steps_of(name)) for name in SMALL.shapes),
    Part("2B trial", 1, trial),
)


def run_parts(
    parts: Sequence[Part], place: Workplace, seconds: float, said: Callable[[str], None] = print
) -> list[Row]:
    """Run what fits into the seconds; what does not, and what fails, says so."""
    began, found = time.perf_counter(), []
    for part in parts:
        left = seconds - (time.perf_counter() - began)
        if part.expected > left:
            state: Row = {"state": "skipped", "why": f"expected {part.expected:g} s, {max(0.0, left):.0f} s left"}
        else:
            state = _attempt(part, place)
        found.append({"part": part.name, **state})
        said(f"{part.name}: {state['state']}, {state.get('seconds_taken', 0):.1f} s {state.get('why', '')}".rstrip())
    return found


def _attempt(part: Part, place: Workplace) -> Row:
    started = time.perf_counter()
    try:
        result = part.run(place)
        state = {"state": "done", **result}
        if "skipped" in result:
            state = {"state": "skipped", "why": result["skipped"]}
    except Exception as error:  # one part's failure is a finding, and the next one's chance
        first_line = (str(error).splitlines() or [""])[0]
        state = {"state": "failed", "why": f"{type(error).__name__}: {first_line}"}
    free(place.device)
    return {**state, "seconds_taken": time.perf_counter() - started}


def machine(device: torch.device, peak: Peak, product: Peak) -> dict[str, Any]:
    """Say on what, with what, and when."""
    return {
        "date": str(date.today()),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "system": f"{platform.system()} {platform.machine()}",
        "device": device.type,
        "name": kind_of(device).name(device),
        "free_bytes": kind_of(device).free(device),
        "peak": peak._asdict(),
        "product": product._asdict(),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, write, and print the table; return 1 where something is wrong."""
    parser = argparse.ArgumentParser(description="What a GPU does with the project's training.")
    parser.add_argument("--device", default="auto", choices=DEVICES)
    parser.add_argument("--out", type=Path, default=Path())
    parser.add_argument("--minutes", type=float, default=7.5)
    parser.add_argument("--small", action="store_true", help="tiny shapes, to see that it runs")
    options = parser.parse_args(arguments)
    try:
        device = choose_device(options.device)
    except InputError as error:
        parser.error(str(error))
    if device.type == CPU:
        torch.set_num_threads(1)  # as a trial has it
    began = time.perf_counter()
    product = measured_peak(device, PRODUCT_SIZE[options.small])
    peak = known_peak(kind_of(device).name(device)) or product
    place = Workplace(device=device, peak=peak, scale=SMALL if options.small else FULL)
    left = 60 * options.minutes - (time.perf_counter() - began)
    parts = run_parts(SMALL_PARTS if options.small else FULL_PARTS, place, left)
    report = {"machine": machine(device, peak, product), "small": options.small, "parts": parts}
    write(options.out, report)
    print(as_markdown(report))
    return int(any(each["state"] == "failed" or each.get("kept") is False for each in parts))


if __name__ == "__main__":
    raise SystemExit(main())
