"""Which code ran: git commit, whether the tree had changes, and the version of every library."""

from __future__ import annotations

import subprocess
from functools import cache
from importlib.metadata import version
from pathlib import Path

LIBRARIES = ("torch", "mlflow", "optuna", "numpy", "pandas", "scikit-learn", "TA-Lib", "arch", "patchscale")


@cache
def code_tags() -> dict[str, str]:
    """Tags ``git.commit`` and ``git.dirty``; ``unknown`` outside a checkout."""
    commit = _git("rev-parse", "HEAD")
    changes = _git("status", "--porcelain")
    dirty = "unknown" if commit is None or changes is None else str(bool(changes)).lower()
    return {"git.commit": commit or "unknown", "git.dirty": dirty}


@cache
def library_tags() -> dict[str, str]:
    """Version of every library that can change a result."""
    found = {}
    for name in LIBRARIES:
        try:
            found[f"version.{name}"] = version(name)
        except ModuleNotFoundError:
            found[f"version.{name}"] = "unknown"
    return found


def _git(*arguments: str) -> str | None:
    here = Path(__file__).resolve().parent
    try:
        done = subprocess.run(["git", *arguments], cwd=here, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
