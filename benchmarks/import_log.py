"""Peak memory and time of reading long files: python -m benchmarks.import_log [MEGABYTES] [TRIALS].

A log with progress bars, epochs and trials, plain and packed; a log of nothing but as many trials as a file may have;
and other tools' tables: a row a step as CSV, an object a run as JSON lines and as a JSON list. Each is made in a
temporary directory and read by a process of its own.
"""

from __future__ import annotations

import gzip
import json
import multiprocessing
import platform
import resource
import sys
import time
from collections.abc import Iterator
from datetime import date
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

from search.legacy.parse.files import parse_files
from search.legacy.parse.source import MAX_TRIALS

STUDY = "[I 2026-01-02 03:00:00,123] A new study created in memory with name: phase6a_2M_h1_threshold_1pct_2M\n"
START = (
    "[I 2026-01-02 03:00:01,123] Trial {0}: arch_idx=60, d_model=64, n_layers=48, n_heads=2, params=2,417,473, "
    "lr=0.000200, epochs=50, batch=256x1, dropout=0.15\n"
)
FINISH = (
    "[I 2026-01-02 03:00:02,123] Trial {0} finished with value: 0.{1} and parameters: {{'arch_idx': 60, "
    "'learning_rate': 0.0002, 'epochs': 50, 'dropout': 0.15}}. Best is trial 0 with value: 0.3.\n"
)
BAR = "\r {0:3d}%|{1}| {0}/100 [00:10<01:20,  1.83s/it]"


def lines(size: int, trials: int) -> Iterator[str]:
    """Lines of a log of about this many bytes and trials."""
    yield STUDY
    room = max(size // trials - len(START) - len(FINISH), 0)
    bars = "".join(BAR.format(n % 100, "#" * 40) for n in range(room // 2 // len(BAR.format(0, "#" * 40)))) + "\n"
    epochs = "epoch 12 train_loss=0.4312 val_loss=0.4417 lr=0.00018\n"
    for number in range(trials):
        yield START.format(number)
        yield bars
        yield epochs * (room // 2 // len(epochs))
        yield FINISH.format(number, 31 + number % 7)


def rows(size: int) -> Iterator[str]:
    """CSV of this many bytes, a row an iteration, a hundred a trial."""
    yield "trial_id,training_iteration,val_loss,config/learning_rate,config/heads,done,hostname,note\n"
    row = "t{0},{1},0.{2},0.0002,8,{3},host-of-the-run,{4}\n"
    for number in range(size // 100 // 120):
        yield from (row.format(number, at, 31 + at % 7, at == 99, "x" * 60) for at in range(100))


def objects(size: int, trials: int) -> Iterator[str]:
    """JSON objects, each a run, of this many bytes together."""
    room = "x" * max(size // trials - 180, 0)
    for number in range(trials):
        config = {"n_heads": 8, "seed": number, "learning_rate": 0.0002, "note": room}
        yield json.dumps(
            {"name": f"run-{number}", "state": "finished", "config": config, "summary": {"val_loss": 0.31}}
        )


def measure(path: Path, base: int) -> None:
    """Read a file in this process, which has done nothing else, and print what it took."""
    begun = time.perf_counter()
    [(_, report)] = parse_files([path])
    seconds = time.perf_counter() - begun
    peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - base) / 1024
    print(
        f"{path.name}: {path.stat().st_size / 2**20:.0f} MiB, {report.lines:,} lines, {len(report.trials):,} trials, "
        f"{seconds:.0f} s, peak {peak:.0f} MiB above the {base / 1024:.0f} MiB before",
        flush=True,
    )


def _start(path: Path) -> None:
    measure(path, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def main(megabytes: int = 200, trials: int = 5000) -> None:
    """Make the files, read them, and print what it took."""
    print(f"{date.today()}, Python {platform.python_version()}, {platform.machine()}, {platform.system()}", flush=True)
    size = megabytes * 2**20
    runs = chain.from_iterable((",", each) for each in objects(size, trials))
    files = {
        "x.log": lines(size, trials),
        "x.log.gz": lines(size, trials),
        "trials.log": lines(0, MAX_TRIALS),
        "steps.csv": rows(size),
        "runs.jsonl": (f"{each}\n" for each in objects(size, trials)),
        "list.jsonl": chain("[", (each for at, each in enumerate(runs) if at), "]"),
    }
    spawn = multiprocessing.get_context("spawn")
    with TemporaryDirectory() as directory:
        for name, texts in files.items():
            path = Path(directory) / name
            with gzip.open(path, "wt") if name.endswith(".gz") else path.open("wt") as file:
                file.writelines(texts)
            process = spawn.Process(target=_start, args=(path,))
            process.start()
            process.join()
            path.unlink()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
