"""Memory of this machine: what is free within its container's limit, and what this process takes."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

CLEAR_PEAK = "5"
LIMITS = Path("/sys/fs/cgroup")


def available() -> int:
    """Free bytes, within the container's limit where there is one."""
    import psutil

    free = int(psutil.virtual_memory().available)
    limit, used = (_read_whole(LIMITS / name) for name in ("memory.max", "memory.current"))
    return min(free, limit - used) if limit is not None and used is not None else free


def in_use() -> int | None:
    """Bytes of this process that lie in memory; None where the system does not say."""
    return _resident("VmRSS")


def start_peak() -> None:
    """Count the most bytes in use from now on, where the system can."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text(CLEAR_PEAK, encoding="ascii")


def peak() -> int | None:
    """Most bytes in use since :func:`start_peak`; None where the system does not say."""
    return _resident("VmHWM")


def processor() -> str:
    """Model of the CPU as the system names it; ``unknown`` where it does not."""
    import platform

    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine() or "unknown"


def _read_whole(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def _resident(name: str) -> int | None:
    if sys.platform != "linux":
        return None
    lines = Path("/proc/self/status").read_text(encoding="utf-8", errors="replace").splitlines()
    found = next((line for line in lines if line.startswith(f"{name}:")), None)
    return None if found is None else int(found.split()[1]) * 1024
