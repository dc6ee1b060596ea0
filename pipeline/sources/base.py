"""The protocol that every source of bars keeps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, kw_only=True, slots=True)
class Download:
    """The bars of one ticker as a provider gave them, in canonical form.

    Parameters
    ----------
    ticker : str
        The provider's symbol, for instance ``^GSPC``.
    bars : DataFrame
        Canonical bars, see :mod:`pipeline.bars`.
    adjusted : bool
        Whether open, high, low and close are already on the adjusted basis.
    library : str
        Name and version of what delivered them.
    reading : str
        What was taken from a file of bars: ``dates dd/mm/yyyy, decimal comma``; empty of other sources.
    warnings : tuple of str
        What was left out on the way.
    origin : str
        The source as it is typed, where its name alone does not open it.
    """

    ticker: str
    bars: pd.DataFrame
    adjusted: bool
    library: str
    reading: str = ""
    warnings: tuple[str, ...] = ()
    origin: str = ""


class Source(Protocol):
    """A provider of daily bars."""

    name: str
    default_ticker: str

    def has(self, ticker: str) -> bool:
        """Say whether the provider is known to have this ticker."""
        ...

    def fetch(self, ticker: str) -> Download:
        """Return every bar the provider has of this ticker.

        Raises
        ------
        DataError
            If the provider doesn't know the ticker, or answers with nothing.
        """
        ...
