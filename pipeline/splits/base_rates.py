"""Base rates: how often the target happens in each part of a split."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.exceptions import DataError
from pipeline.splits.splits import SplitRows


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelCount:
    """Days of a part and how many of them are positive."""

    days: int
    positives: int

    @property
    def rate(self) -> float:
        """Share of positive days."""
        return self.positives / self.days


def base_rates(labels: npt.NDArray[np.float64], rows: SplitRows) -> dict[str, LabelCount]:
    """Count positive days in each part that holds samples.

    Raises
    ------
    DataError
        If a part has one class only: then labels are broken, or the target is
        not one that these prices can miss.

    Examples
    --------
    >>> rows = SplitRows(train=np.array([0, 1, 2]), validation=np.array([4, 5]), test=np.array([], dtype=int))
    >>> rates = base_rates(np.array([1.0, 0.0, 0.0, 1.0, 1.0, 0.0]), rows)
    >>> {name: (rate.positives, rate.days) for name, rate in rates.items()}
    {'train': (1, 3), 'validation': (1, 2)}
    """
    rates = {}
    for name, index in rows.parts.items():
        values = labels[index]
        assert np.isfinite(values).all(), f"{name} holds days without a label"
        rates[name] = LabelCount(days=len(values), positives=int(values.sum()))
        if rates[name].positives in (0, len(values)):
            raise DataError(
                f"labels of {name} must hold both classes, got {rates[name].positives} positive of {len(values)} "
                "days; choose another threshold or horizon, or check the prices"
            )
    return rates
