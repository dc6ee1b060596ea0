"""Peak memory and time of reading a long log: python -m benchmarks.import_log [MEGABYTES] [TRIALS].

The log has progress bars, epochs and trials; it is made in a temporary directory, plain and packed.
"""

from __future__ import annotations

import gzip
import platform
import resource
import sys
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

from search.legacy.parse.files import parse_files

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


def main(megabytes: int = 200, trials: int = 5000) -> None:
    """Make the logs, read them, and print what it took."""
    print(f"{date.today()}, Python {platform.python_version()}, {platform.machine()}, {platform.system()}")
    with TemporaryDirectory() as directory:
        base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for name, opened in (("x.log", open), ("x.log.gz", gzip.open)):
            path = Path(directory) / name
            with opened(path, "wt") as log:
                log.writelines(lines(megabytes * 2**20, trials))
            begun = time.perf_counter()
            [(_, report)] = parse_files([path])
            seconds = time.perf_counter() - begun
            peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - base) / 1024
            print(
                f"{name}: {megabytes} MB unpacked, {report.lines:,} lines, {len(report.trials):,} trials, "
                f"{seconds:.0f} s, peak {peak:.0f} MiB above the {base / 1024:.0f} MiB before"
            )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
