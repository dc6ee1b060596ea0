"""A disk of a test's own, in memory, of as many bytes as it wants."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def mount(place: Path, *options: str) -> Path:
    """Mount a disk on a directory; the test is skipped where that is not allowed."""
    command = ["mount", "-t", "tmpfs", "-o", ",".join(options), "none", str(place)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("no right to mount a disk here")
    return place


def unmount(place: Path) -> None:
    """Take it away, with what it holds, if it is there."""
    subprocess.run(["umount", "--lazy", str(place)], capture_output=True, check=False)


@contextmanager
def filled(place: Path) -> Iterator[None]:
    """Leave no room on a disk inside the block."""
    ballast = place / "ballast"
    try:
        with ballast.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass
        yield
    finally:
        ballast.unlink()
