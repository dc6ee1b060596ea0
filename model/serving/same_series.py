"""Whose bars a caller sends: they move as the model's own did, or are refused."""

from __future__ import annotations

import numpy as np
import pandas as pd

from model.serving.package_info import PackageFacts
from pipeline.exceptions import DataError

LEAST_COMMON, LEAST_AGREEMENT = 60, 0.98
"""Days of training among the bars that tell whose they are, and the least rank correlation of returns there.

In years of 250 days from 1999 to 2024, SPY, DIA, QQQ, ^DJI and ^IXIC reach at most 0.979 with a series of another
index but QQQ with ^IXIC (up to 0.996), and ^DJI with its fund DIA 0.994 in the median; closes rounded to cents keep
0.9997.
"""


def require_same_series(bars: pd.DataFrame, facts: PackageFacts) -> None:
    """Refuse bars that move otherwise than the model's own did on the last days of its training."""
    own = pd.Series(facts.closes, dtype=np.float64)
    own.index = pd.DatetimeIndex(own.index)
    both = pd.DataFrame({"own": own, "sent": bars["close"]}).dropna()
    moves = np.log(both).diff().dropna().rank()
    if len(moves) < LEAST_COMMON:
        return
    agreement = moves["own"].corr(moves["sent"])
    if agreement < LEAST_AGREEMENT:
        raise DataError(
            f"bars must be of {facts.ticker}, got others: on the {len(moves)} days from {both.index[1].date()} that "
            f"training knows too, their returns agree by {agreement:.2f} in rank, at least {LEAST_AGREEMENT:g} is the "
            "same series; send the model's own ticker"
        )
