"""What must be the same wherever a trial runs, for its result to be the same to the last bit."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from search.tracking.provenance import library_tags

PACKAGES = ("pipeline", "model", "search")


def own_versions() -> dict[str, str]:
    """Versions of Python, of the libraries that can change a result, and of the code itself."""
    libraries = {name.removeprefix("version."): version for name, version in library_tags().items()}
    return {"Python": platform.python_version(), **libraries, "code": code_digest()}


def difference(there: Mapping[str, str], here: Mapping[str, str]) -> str:
    """Say what is of another version there than here; empty if nothing is.

    Examples
    --------
    >>> difference({"Python": "3.11.2", "torch": "2.9"}, {"Python": "3.11.4", "torch": "2.9"})
    'Python 3.11.2, here 3.11.4'
    """
    names = [*here, *(name for name in there if name not in here)]
    pairs = [(name, there.get(name, "unknown"), here.get(name, "unknown")) for name in names]
    return ", ".join(f"{name} {other}, here {own}" for name, other, own in pairs if other != own)


@cache
def code_digest() -> str:
    """First digits of SHA-256 over the source of this project, wherever it is installed."""
    root, digest = Path(__file__).resolve().parents[2], hashlib.sha256()
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            content = path.read_bytes()
            digest.update(f"{path.relative_to(root).as_posix()} {len(content)} ".encode() + content)
    return digest.hexdigest()[:12]
