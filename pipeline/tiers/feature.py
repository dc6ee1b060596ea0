"""What a feature is: a declaration of inputs, parameters, look-back and function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from pipeline.indicators.windows import Array

WEEK_DAYS = 7
WITHIN_LOOKBACK = -1
WILDER_MEMORY = 400
"""Sessions after which the start of a smoothing over 14 days, or of an exponential mean over 26, is forgotten."""
WEEKLY_MEMORY = 1500
"""Sessions of 300 weeks, after which the start of a smoothing over 14 weeks is forgotten."""
DEMA_MEMORY = 13
"""Periods after which the start of a double exponential mean is forgotten."""
IN_SIGMA, OVER_SIGMA = "in_sigma", "over_sigma"
"""Units of a window's channel: divided by the sigma of the window's last day; a logarithm, less sigma's."""
TICKER = "ticker"


@dataclass(frozen=True, kw_only=True, slots=True)
class Feature:
    """One column of a tier.

    Parameters
    ----------
    name : str
        Column name in the dataset version.
    inputs : tuple of str
        In the order of the function's arguments: columns of the bars, ``date``, ``ticker``,
        or columns of another ticker's bars, as ``^VIX.close``.
    function : callable
        From input arrays of shape (days,) and the parameters to shape (days,).
    lookback : int
        Number of earlier days after which a value must exist.
    parameters : mapping
        Keyword arguments of the function.
    memory : int or None
        Sessions after which it no longer matters, below the resolution of float32, where the
        series started: the look-back if not given, more for a recursive indicator, and None for
        one that never forgets its start.  It is no part of what names the tier's code.
    static : bool
        Whether a model reads it of the last day of a window only, beside the window.
    unit : {"", "in_sigma", "over_sigma"}
        What a model does to a channel first, see :data:`IN_SIGMA` and :data:`OVER_SIGMA`.
    limit : float
        What a model cuts off beyond, on both sides: a channel's values in its unit, a static feature's
        standardised ones; 0 leaves it to the model.

    Examples
    --------
    >>> Feature(name="sum", inputs=("close",), function=np.cumsum, lookback=0, memory=None).memory
    >>> Feature(name="level", inputs=("close",), function=np.asarray, lookback=0).memory
    0
    """

    name: str
    inputs: tuple[str, ...]
    function: Callable[..., Array]
    lookback: int
    parameters: Mapping[str, float] = field(default_factory=dict)
    memory: int | None = WITHIN_LOOKBACK
    static: bool = False
    unit: str = ""
    limit: float = 0.0

    def __post_init__(self) -> None:
        if self.memory == WITHIN_LOOKBACK:
            object.__setattr__(self, "memory", self.lookback)

    @property
    def tickers(self) -> tuple[str, ...]:
        """Other tickers that this feature reads.

        Examples
        --------
        >>> Feature(name="premium", inputs=("^VIX.close", "close"), function=np.subtract, lookback=0).tickers
        ('^VIX',)
        """
        return tuple(dict.fromkeys(ticker for ticker, _ in map(split_input, self.inputs) if ticker))

    @property
    def declaration(self) -> tuple[object, ...]:
        """What names it in the version of the tier's code; what plain features lack is left out."""
        parts = (self.name, self.inputs, self.lookback, self.function.__qualname__, sorted(self.parameters.items()))
        return (*parts, self.static, self.unit, self.limit) if self.static or self.unit or self.limit else parts

    def compute(
        self, bars: pd.DataFrame, auxiliary: Mapping[str, pd.DataFrame] | None = None, ticker: str = ""
    ) -> Array:
        """Value of every day of the bars, NaN where the look-back is not filled.

        Parameters
        ----------
        bars : DataFrame
            Bars of the ticker that is predicted.
        auxiliary : mapping, optional
            Bars of the other tickers, on exactly the same days.
        ticker : str, optional
            The one that is predicted.
        """
        columns = []
        for name in self.inputs:
            other, column = split_input(name)
            frame = (auxiliary or {})[other] if other else bars
            if column == TICKER:
                columns.append(np.full(len(bars), ticker))
            else:
                columns.append(frame.index.to_numpy() if column == "date" else frame[column].to_numpy())
        return np.asarray(self.function(*columns, **self.parameters), dtype=np.float64)


def feature(
    name: str,
    inputs: str,
    function: Callable[..., Array],
    lookback: int,
    memory: int | None = WITHIN_LOOKBACK,
    **parameters: float,
) -> Feature:
    """Declare a feature in one row; its inputs stand apart by blanks.

    Examples
    --------
    >>> feature("range", "high low", np.subtract, 0).inputs
    ('high', 'low')
    """
    given = tuple(inputs.split())
    return Feature(name=name, inputs=given, function=function, lookback=lookback, memory=memory, parameters=parameters)


def channel(declared: Feature, unit: str, limit: float) -> Feature:
    """Make a feature a channel of a window that the model measures in the sigma of the window's last day."""
    return replace(declared, unit=unit, limit=limit)


def static(declared: Feature, limit: float) -> Feature:
    """Make a feature one that the model reads of the last day only."""
    return replace(declared, static=True, limit=limit)


def split_input(name: str) -> tuple[str, str]:
    """Ticker and column of an input; the ticker is empty for the bars themselves.

    Examples
    --------
    >>> split_input("^VIX.close"), split_input("close"), split_input("VOD.L.high")
    (('^VIX', 'close'), ('', 'close'), ('VOD.L', 'high'))
    """
    ticker, _, column = name.rpartition(".")
    return ticker, column
