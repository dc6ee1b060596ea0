"""Files that are named by what somebody wrote: always one in the directory that is meant, never above or beside it."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from pipeline.exceptions import InputError

LONGEST = 255
"""Most bytes of a file's name."""


def is_file_name(name: str) -> bool:
    """Whether a name, as it stands, is that of one file in a directory.

    Examples
    --------
    >>> [is_file_name(each) for each in ("SPY-h1", "^GSPC", ".x", ".", "..", "", "a/b", "../x", "x" * 256)]
    [True, True, True, False, False, False, False, False, False]
    """
    if name in ("", os.curdir, os.pardir) or re.search(r"[/\\\0]", name):
        return False
    return len(name.encode(errors="surrogatepass")) <= LONGEST


def child(directory: Path, name: str, what: str) -> Path:
    """Path in a directory, with this very name.

    Parameters
    ----------
    directory : Path
        Where it is to lie.
    name : str
        As somebody wrote it.
    what : str
        Whose name it is, for the message.

    Raises
    ------
    InputError
        If a path of this name would be the directory itself, lie elsewhere, or can't be.

    Examples
    --------
    >>> child(Path("reports"), "SPY-h1", "study").as_posix()
    'reports/SPY-h1'
    """
    if not is_file_name(name):
        raise InputError(
            f"{what} must have a name that a file in {directory} can have, of at most {LONGEST} bytes, no slash, and "
            f"neither . nor .., got {name!r}; choose another name"
        )
    return directory / name


def own_file(directory: Path, name: str, suffix: str) -> Path:
    """Path in a directory for any name at all: with the name where a file can have it, else with its digest.

    Examples
    --------
    >>> own_file(Path("locks"), "SPY-h1", ".lock").as_posix(), own_file(Path("locks"), "..", ".lock").as_posix()
    ('locks/SPY-h1.lock', 'locks/...lock')
    >>> own_file(Path("locks"), "../x", ".lock").name
    'name-d6b96a97d147daaae49eb87a.lock'
    """
    if not is_file_name(name + suffix):
        name = f"name-{hashlib.sha256(name.encode(errors='surrogateescape')).hexdigest()[:24]}"
    return directory / f"{name}{suffix}"
