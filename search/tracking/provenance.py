"""Which code ran: git commit, whether the tree had changes, the version of every library, and who started it."""

from __future__ import annotations

import os
import subprocess
from functools import cache
from importlib.metadata import version
from pathlib import Path

LIBRARIES = ("torch", "mlflow", "optuna", "numpy", "pandas", "scikit-learn", "TA-Lib", "arch", "patchscale")
OF_ANOTHER_REPOSITORY = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY")


@cache
def code_tags() -> dict[str, str]:
    """Tags ``git.commit`` and ``git.dirty``; ``unknown`` outside a checkout of this project.

    Only tracked files of the project count: bars of one's own or a link to an environment change no code.
    """
    tracked = _git("ls-files", "--error-unmatch", Path(__file__).name) is not None
    commit = _git("rev-parse", "HEAD") if tracked else None
    changes = _git("status", "--porcelain", "--untracked-files=no", "--", *_project())
    dirty = "unknown" if commit is None or changes is None else str(bool(changes)).lower()
    return {"git.commit": commit or "unknown", "git.dirty": dirty}


def _project() -> list[str]:
    """Root of the project, for git; everything where this file does not lie in its package."""
    here = Path(__file__).resolve()
    return [str(here.parents[2])] if here.parent.name == "tracking" else []


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


@cache
def user_tags() -> dict[str, str]:
    """Who started the process and what it runs, as MLflow's own clients say it."""
    from mlflow.tracking.context.default_context import DefaultRunContext
    from mlflow.utils.mlflow_tags import MLFLOW_USER

    context = DefaultRunContext()
    try:
        return {name: str(value) for name, value in context.tags().items()}
    except (KeyError, OSError):  # a user that the system has no name for, as in a container
        return {MLFLOW_USER: str(os.getuid())}


def _git(*arguments: str) -> str | None:
    """Ask git of the checkout that this file lies in, whatever repository the shell speaks of."""
    here = Path(__file__).resolve().parent
    environment = {name: value for name, value in os.environ.items() if name not in OF_ANOTHER_REPOSITORY}
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=here,
            env=environment,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=30,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
