"""Where bars come from: one small protocol, one module a provider."""

from __future__ import annotations

from pipeline.exceptions import InputError
from pipeline.sources.base import Download, Source

__all__ = ["SOURCES", "Download", "Source", "open_source"]

SOURCES = ("sample",)


def open_source(name: str) -> Source:
    """Return the source of this name.

    Raises
    ------
    InputError
        If no source has this name.
    """
    if name == "sample":
        from pipeline.sources.sample import SampleSource

        return SampleSource()
    raise InputError(f"source must be one of {', '.join(SOURCES)}, got {name!r}")
