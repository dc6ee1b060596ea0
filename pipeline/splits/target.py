"""The target: the one place that knows horizon, threshold and label rule."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.exceptions import InputError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

RULES = ("high", "close")


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """The event that is predicted: the price rises by ``threshold`` within ``horizon`` days.

    With the rule ``high`` (the default), day t is positive if
    ``max(high[t+1 … t+horizon]) >= close[t] · (1 + threshold)``; with ``close``,
    the closing prices of those days take the place of the highs.

    Parameters
    ----------
    horizon : int
        Sessions ahead, at least 1.
    threshold : float
        Rise as a fraction: 0.01 is 1 %, and 0 is direction alone.
    rule : {"high", "close"}
        Which price has to touch.

    Examples
    --------
    >>> import pandas as pd
    >>> bars = pd.DataFrame({"high": [100.0, 102.0, 100.5], "close": [100.0, 100.0, 100.0]})
    >>> Target(horizon=1, threshold=0.01).labels(bars).tolist()
    [1.0, 0.0, nan]
    >>> Target(horizon=1, threshold=0.01, rule="close").labels(bars).tolist()
    [0.0, 0.0, nan]
    """

    horizon: int
    threshold: float = 0.01
    rule: str = "high"

    def __post_init__(self) -> None:
        if isinstance(self.horizon, bool) or not isinstance(self.horizon, int) or self.horizon < 1:
            raise InputError(f"horizon must be a whole number of days, at least 1, got {self.horizon!r}")
        if not (math.isfinite(self.threshold) and -1 < self.threshold < 1):
            raise InputError(f"threshold must be a fraction between -1 and 1 (0.01 is 1 %), got {self.threshold!r}")
        if self.rule not in RULES:
            raise InputError(f"target rule must be one of {', '.join(RULES)}, got {self.rule!r}")

    @property
    def name(self) -> str:
        """Short name that studies, experiments and models carry: ``h1``, ``h3-t0.02``, ``h1-close``."""
        threshold = "" if self.threshold == 0.01 else f"-t{self.threshold:g}"
        return f"h{self.horizon}{threshold}" + ("" if self.rule == "high" else f"-{self.rule}")

    @property
    def note(self) -> str:
        """What a threshold of 0 means, in words; empty for any other.

        Examples
        --------
        >>> Target(horizon=1, threshold=0.0).note
        'a threshold of 0 asks for direction alone: whether the high of the next day reaches the close of today'
        """
        days = "the next day" if self.horizon == 1 else f"the next {self.horizon} days"
        return (
            f"a threshold of 0 asks for direction alone: whether the {self.rule} of {days} reaches the close of today"
            if self.threshold == 0
            else ""
        )

    def labels(self, bars: pd.DataFrame) -> npt.NDArray[np.float64]:
        """Label every day from raw prices.

        Parameters
        ----------
        bars : DataFrame
            Columns ``high`` and ``close``, oldest day first, never transformed.

        Returns
        -------
        ndarray of shape (days,)
            1.0, 0.0, or NaN on the last ``horizon`` days, whose future is not complete.
        """
        import numpy as np

        close = bars["close"].to_numpy(dtype=np.float64)
        labels, highest = np.full(len(close), np.nan), self._highest(bars)
        complete = len(close) - self.horizon
        if complete > 0:
            labels[:complete] = highest[:complete] >= close[:complete] * (1.0 + self.threshold)
        return labels

    def reach(self, bars: pd.DataFrame) -> npt.NDArray[np.float64]:
        """Measure how far the price went: log of the highest price of the next ``horizon`` days over the close.

        Parameters
        ----------
        bars : DataFrame
            As of :meth:`labels`.

        Returns
        -------
        ndarray of shape (days,)
            NaN on the last ``horizon`` days.

        Examples
        --------
        >>> import pandas as pd
        >>> bars = pd.DataFrame({"high": [100.0, 102.0, 100.5], "close": [100.0, 100.0, 100.0]})
        >>> Target(horizon=1).reach(bars).round(4).tolist()
        [0.0198, 0.005, nan]
        """
        import numpy as np

        return np.log(self._highest(bars) / bars["close"].to_numpy(dtype=np.float64))

    def _highest(self, bars: pd.DataFrame) -> npt.NDArray[np.float64]:
        """Highest price that counts of the next ``horizon`` days, shape (days,); NaN where they are not complete."""
        import numpy as np

        touch = bars[self.rule].to_numpy(dtype=np.float64)
        highest = np.full(len(touch), np.nan)
        if len(touch) > self.horizon:
            ahead = np.lib.stride_tricks.sliding_window_view(touch[1:], self.horizon)
            highest[: -self.horizon] = ahead.max(axis=1)
        return highest
