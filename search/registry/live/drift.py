"""Drift: features of the last year, and of the day, that are not what training saw."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from model.serving.package_info import PackageFacts
from pipeline.datasets.dataset import DatasetVersion
from pipeline.datasets.drift import SHIFTED_FROM

DRIFT_DAYS = 250
USUAL_SHARE = 0.05
"""Of the stretches of training: a shift that more of them show is no news."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Drift:
    """How far a feature moved from training.

    Parameters
    ----------
    index : float
        Population stability index of the last 250 sessions against the training rows.
    as_much, of : int
        Stretches of 250 sessions of training whose own index is at least that, of how many.
    """

    index: float
    as_much: int
    of: int

    def text(self) -> str:
        """Index, and how unusual it is.

        Examples
        --------
        >>> Drift(index=2.46, as_much=3, of=22).text()
        '2.46 (3 of 22)'
        """
        return f"{self.index:.2f} ({self.as_much} of {self.of})"


def drifted_features(dataset: DatasetVersion, facts: PackageFacts, trained_on: DatasetVersion) -> dict[str, Drift]:
    """Find every feature that shifted from training to the last 250 sessions as few stretches of training did.

    A year of a slow feature never looks like twenty: on SPY the index of 13 of 33 features reaches 0.25 in 2024,
    of most of them in half of the training years too. What counts is an index that at most 5 % of them reach.

    Parameters
    ----------
    dataset : DatasetVersion
        Of the newest bars.
    facts : PackageFacts
        Of the version.
    trained_on : DatasetVersion
        That the version was trained on.
    """
    recent = dataset.frame.iloc[-DRIFT_DAYS:]
    trained = trained_on.frame[trained_on.dates <= pd.Timestamp(facts.trained_through)]
    found = {}
    for name, reference in facts.references.items():
        index = reference.stability_index(recent[name].to_numpy())
        values = trained[name].to_numpy()
        stretches = [values[i : i + DRIFT_DAYS] for i in range(0, len(values) - DRIFT_DAYS + 1, DRIFT_DAYS)]
        own = [reference.stability_index(each) for each in stretches]
        as_much = sum(each >= index for each in own)
        if index >= SHIFTED_FROM and as_much <= USUAL_SHARE * len(own):
            found[name] = Drift(index=index, as_much=as_much, of=len(own))
    return dict(sorted(found.items(), key=lambda pair: -pair[1].index))


def outside_features(dataset: DatasetVersion, facts: PackageFacts) -> dict[str, tuple[float, float, float]]:
    """Features whose newest value is below or above every one in training: value, minimum, maximum."""
    day = dataset.frame.iloc[-1]
    return {
        name: (float(day[name]), each.minimum, each.maximum)
        for name, each in facts.references.items()
        if not each.minimum <= day[name] <= each.maximum
    }
