"""Drift: whether a feature means the same in validation and test as in training.

The population stability index compares two samples over the deciles of the
first: the sum over bins of (q - p) · ln(q / p).  By the usual reading (Siddiqi,
2006, "Credit Risk Scorecards") below 0.1 is stable, from 0.25 on is shifted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.datasets.dataset import DatasetVersion
from pipeline.exceptions import InputError
from pipeline.splits.splits import SplitRows

BINS = 10
STABLE_BELOW = 0.1
SHIFTED_FROM = 0.25
EMPTY_BIN = 0.5
"""Days that an empty bin counts as, so that its logarithm exists."""

Values = npt.NDArray[np.floating]


@dataclass(frozen=True, kw_only=True, slots=True)
class Reference:
    """What has to be known of a sample to compare others with it.

    Parameters
    ----------
    minimum, maximum : float
        Its range.
    edges : tuple of float
        Inner edges of its quantile bins, ascending; equal quantiles are merged.
    shares : tuple of float
        Its share in each bin, one more than edges.

    Examples
    --------
    >>> reference = Reference.of(np.arange(8.0), bins=4)
    >>> reference.edges, reference.shares
    ((1.75, 3.5, 5.25), (0.25, 0.25, 0.25, 0.25))
    >>> round(reference.stability_index(np.full(100, 7.0)), 2)
    3.9
    """

    minimum: float
    maximum: float
    edges: tuple[float, ...]
    shares: tuple[float, ...]

    @classmethod
    def of(cls, expected: Values, bins: int = BINS) -> Reference:
        """Describe a sample."""
        edges = np.unique(np.quantile(expected, np.linspace(0, 1, bins + 1)[1:-1]))
        shares = _shares(np.searchsorted(edges, expected, side="right"), len(edges) + 1)
        return cls(
            minimum=float(expected.min()),
            maximum=float(expected.max()),
            edges=tuple(edges.tolist()),
            shares=tuple(shares.tolist()),
        )

    def stability_index(self, actual: Values) -> float:
        """Compare a sample with this one by the population stability index."""
        p = np.asarray(self.shares)
        q = _shares(np.searchsorted(np.asarray(self.edges), actual, side="right"), len(p))
        return float(((q - p) * np.log(q / p)).sum())


def population_stability_index(expected: Values, actual: Values, bins: int = BINS) -> float:
    """Compare the distribution of two samples over the quantiles of the first.

    Parameters
    ----------
    expected, actual : ndarray
        Samples, finite.
    bins : int
        Number of quantile bins; equal quantiles are merged.

    Raises
    ------
    InputError
        If a sample is empty.

    Examples
    --------
    >>> sample = np.arange(1000.0)
    >>> population_stability_index(sample, sample)
    0.0
    >>> population_stability_index(sample, sample + 500) > SHIFTED_FROM
    True
    """
    if not (len(expected) and len(actual)):
        raise InputError(
            f"stability needs samples on both sides, got {len(expected)} and {len(actual)}; widen the split"
        )
    return Reference.of(expected, bins).stability_index(actual)


def _shares(positions: npt.NDArray[np.intp], bins: int) -> npt.NDArray[np.float64]:
    counts = np.maximum(np.bincount(positions, minlength=bins), EMPTY_BIN)
    return counts / counts.sum()


@dataclass(frozen=True, kw_only=True, slots=True)
class DriftReport:
    """Stability of every feature, from training to validation and to test.

    Parameters
    ----------
    table : DataFrame
        Index ``feature``, a column for each later part, as far as it holds samples.
    """

    table: pd.DataFrame

    @property
    def shifted(self) -> tuple[str, ...]:
        """Features whose index reaches 0.25 in a later part, worst first."""
        worst = self.table.max(axis=1).sort_values(ascending=False)
        return tuple(worst.index[worst >= SHIFTED_FROM])

    def text(self) -> str:
        """Markdown table, worst feature first."""
        order = self.table.max(axis=1).sort_values(ascending=False, kind="stable").index
        head = ["feature", *self.table.columns, "reading"]
        lines = [" | ".join(head), " | ".join("---" for _ in head)]
        for name in order:
            values = self.table.loc[name]
            lines.append(" | ".join([str(name), *(f"{value:.3f}" for value in values), _reading(values.max())]))
        return "\n".join(f"| {line} |" for line in lines)


def drift_report(dataset: DatasetVersion, rows: SplitRows) -> DriftReport:
    """Measure every feature's drift from training to the later parts.

    It reads features only, never labels, so it may look at the test part.
    """
    features = dataset.frame[list(dataset.features)].to_numpy()
    later = {name: index for name, index in rows.parts.items() if name != "train"}
    columns = {
        name: [
            population_stability_index(features[rows.train, column], features[index, column])
            for column in range(features.shape[1])
        ]
        for name, index in later.items()
    }
    return DriftReport(table=pd.DataFrame(columns, index=pd.Index(dataset.features, name="feature")))


def _reading(index: float) -> str:
    if index >= SHIFTED_FROM:
        return "shifted"
    return "stable" if index < STABLE_BELOW else "moderate"
