"""What was found, as JSON and as one table."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

GIB = 2**30
COLUMNS = ("part", "way", "parameters", "ms a step", "of the peak", "memory, estimated", "measured", "what was found")


def write(directory: Path, report: dict[str, Any]) -> None:
    """Write ``accelerator.json`` and ``accelerator.md``."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "accelerator.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    (directory / "accelerator.md").write_text(as_markdown(report) + "\n", encoding="utf-8")


def as_markdown(report: dict[str, Any]) -> str:
    """Give the machine in a line, and a row a finding."""
    rows = [row for part in report["parts"] for row in _rows(part)]
    lines = [" | ".join(COLUMNS), "|".join(["---"] * len(COLUMNS)), *(" | ".join(row) for row in rows)]
    return "\n".join([_head(report), "", *(f"| {line} |" if "---" not in line else f"|{line}|" for line in lines)])


def _head(report: dict[str, Any]) -> str:
    m = report["machine"]
    peak, product = m["peak"], m["product"]
    known = f"peak {peak['flops'] / 1e12:.3g} TFLOP/s ({peak['source']})"
    measured = "" if peak == product else f", products {product['flops'] / 1e12:.3g} ({product['source']})"
    unknown = "; this card is not in the table, shares are of the measured product" if peak == product else ""
    cuda = f" · CUDA {m['cuda']}" if m["cuda"] else ""
    return (
        f"{m['date']} · Python {m['python']} · torch {m['torch']}{cuda} · {m['system']} · {m['name']} ({m['device']}), "
        f"{m['free_bytes'] / GIB:.1f} GiB free · {known}{measured}{unknown}{' · in small' if report['small'] else ''}"
    )


def _rows(part: dict[str, Any]) -> Iterator[list[str]]:
    name, blank = part["part"], [""] * 6
    if part["state"] != "done":
        yield [name, *blank, f"{part['state']}: {part['why']}"]
    elif "rows" not in part:
        yield [name, *blank, "; ".join([part["text"], *_verdicts(part)])]
    for number, row in enumerate(part.get("rows", [])):
        is_last = number == len(part["rows"]) - 1
        faster = [f"{part['faster']:.1f} × eager", *_verdicts(part)] if is_last else []
        measured = row["memory_measured"]
        yield [
            f"{name} {row['architecture']}",
            row["way"],
            f"{row['n_params'] / 1e6:.2f}M",
            f"{1e3 * row['step_seconds']:.2f}",
            f"{row['share_of_peak']:.1%}",
            f"{row['memory_estimated'] / GIB:.2f} GiB",
            "unknown" if measured is None else f"{measured / GIB:.2f} GiB",
            "; ".join([row["execution"], *faster]),
        ]


def _verdicts(part: dict[str, Any]) -> list[str]:
    return [f"{asked} {'kept' if kept else 'MISSED'}" for asked, kept in part.get("asked", {}).items()]
