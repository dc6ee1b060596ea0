"""Live prediction: what a version says of the newest session, and how it did on days it could not know."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import log_loss

from model.serving.package_info import PackageFacts
from pipeline.datasets.dataset import DatasetVersion
from pipeline.datasets.drift import SHIFTED_FROM
from pipeline.datasets.raw_bars import raw_bars
from pipeline.splits.splits import MIN_EVALUATION_DAYS, Split
from pipeline.splits.target import Target
from search.evidence.difference import Difference, paired_difference
from search.evidence.text import difference_text, json_ready
from search.registry.description import question
from search.registry.live.newest_data import newest_dataset
from search.registry.packaging.ask_version import ask_version
from search.registry.versions.versions import DATA_LAST, find_version, require_tag, version_name
from search.study.study import load_study
from search.tracking.stores import Stores, open_tracking
from search.tracking.tags import STUDY

DRIFT_DAYS = 250
USUAL_SHARE = 0.05
"""Of the stretches of training: a shift that more of them show is no news."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LiveRecord:
    """How a version did on days after the data it was registered with.

    Parameters
    ----------
    n_days : int
        Days scored.
    n_sealed : int
        Days after that data that lie in the sealed test split of its study: not scored.
    loss, base_rate_loss : float or None
        Log loss of the version, and of always saying the base rate of its training rows; None below 200 days.
    difference : Difference or None
        Of the two, with its interval and what so many days could show; None below 200 days.
    """

    n_days: int
    n_sealed: int
    loss: float | None = None
    base_rate_loss: float | None = None
    difference: Difference | None = None

    def text(self) -> str:
        """One line."""
        sealed = f"; {self.n_sealed} days lie in the sealed test split and are not scored" if self.n_sealed else ""
        if not self.n_days:
            return f"no unseen day yet{sealed}"
        if self.difference is None:
            days = "1 unseen day" if self.n_days == 1 else f"{self.n_days} unseen days"
            return f"{days}; so few show nothing, from {MIN_EVALUATION_DAYS} on they are scored{sealed}"
        return (
            f"{self.n_days} unseen days: log loss {self.loss:.4f}, always saying the training base rate "
            f"{self.base_rate_loss:.4f}; {difference_text(self.difference)}{sealed}"
        )


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


@dataclass(frozen=True, kw_only=True, slots=True)
class Live:
    """A forecast of the newest session.

    Parameters
    ----------
    version, question, date : str
        Which version, what it answers, and the session that it forecasts from.
    probability, base_rate : float
        Of the event, and the share of positive days in training.
    horizon, threshold
        Of the target.
    record : LiveRecord
        On unseen days.
    drifted : dict
        Features whose stability index over the last 250 sessions is at least 0.25, and as large in at most 5 % of
        such stretches of the training rows, worst first.
    outside : dict
        Features whose value of the day is outside their range in training: value, minimum, maximum.
    remarks : tuple of str
        On the data.
    """

    version: str
    question: str
    date: str
    probability: float
    base_rate: float
    horizon: int
    threshold: float
    record: LiveRecord
    drifted: dict[str, Drift]
    outside: dict[str, tuple[float, float, float]]
    remarks: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return everything, for JSON."""
        found: dict[str, Any] = json_ready(asdict(self))
        return found

    def lines(self) -> Iterator[str]:
        """Lines for a terminal."""
        yield from (f"note: {remark}" for remark in self.remarks)
        yield f"{self.version}: {self.question}"
        yield f"{self.date}: probability {self.probability:.4f}, base rate of training {self.base_rate:.4f}"
        yield f"record: {self.record.text()}"
        if self.drifted:
            shown = ", ".join(f"{name} {each.text()}" for name, each in self.drifted.items())
            yield (
                f"warning: inputs of the last {DRIFT_DAYS} sessions drifted from training, stability index of "
                f"{SHIFTED_FROM} or more (behind it, how many stretches of training drift as much): {shown}"
            )
        if self.outside:
            shown = ", ".join(
                f"{name} {x:.4g} ({low:.4g} to {high:.4g})" for name, (x, low, high) in self.outside.items()
            )
            yield f"warning: inputs of this day outside their range in training: {shown}"


def predict_live(
    stores: Stores, text: str, *, source: str = "", offline: bool = False, today: date | None = None
) -> Live:
    """Refresh the data of a version's ticker, and forecast from the newest session.

    Parameters
    ----------
    stores : Stores
        Where the record is.
    text : str
        The version, as a user writes it.
    source, offline, today
        As in :func:`search.registry.live.newest_data.newest_dataset`.

    Raises
    ------
    InputError
        If there is no such version.
    """
    client = open_tracking(stores)
    version = find_version(client, text)
    study = load_study(stores, require_tag(version, STUDY), client=client)
    plan, root = study.plan, study.data_root
    dataset, remarks = newest_dataset(root, plan.data, source=source, offline=offline, today=today)
    answer = ask_version(stores, version, raw_bars(root, dataset))
    p, facts = answer.p, answer.facts
    since = pd.Timestamp(require_tag(version, DATA_LAST))
    return Live(
        version=version_name(version),
        question=question(plan.data.ticker, plan.target),
        date=str(p.index[-1].date()),
        probability=float(p.iloc[-1]),
        base_rate=facts.base_rate,
        horizon=plan.target.horizon,
        threshold=plan.target.threshold,
        record=live_record(p, dataset.frame, plan.target, plan.split, since=since, base_rate=facts.base_rate),
        drifted=drifted_features(dataset, facts, study.load_data()[0]),
        outside=outside_features(dataset, facts),
        remarks=remarks,
    )


def live_record(
    p: pd.Series, bars: pd.DataFrame, target: Target, split: Split, *, since: pd.Timestamp, base_rate: float
) -> LiveRecord:
    """Score the days after ``since`` whose outcome is known; sealed days are counted and their outcomes not made.

    Fewer than 200 days are counted and not scored: a loss over them would be read as more than it is.

    Parameters
    ----------
    p : Series
        Probability by date.
    bars : DataFrame
        Canonical bars of the same ticker, indexed by date.
    target, split
        Of the version's study.
    since : Timestamp
        Last session of the data that the version was registered with.
    base_rate : float
        Of its training rows.
    """
    first_open = max(since, pd.Timestamp(split.test_end))
    later = bars[bars.index > first_open]
    labels = pd.Series(target.labels(later), index=later.index).dropna()
    known = pd.DatetimeIndex(bars.index[: -target.horizon])
    sealed = (known > since) & (known >= pd.Timestamp(split.test_start)) & (known <= pd.Timestamp(split.test_end))
    scored = labels.index.intersection(p.index)
    found = LiveRecord(n_days=len(scored), n_sealed=int(sealed.sum()))
    if found.n_days < MIN_EVALUATION_DAYS:
        return found
    y_D = labels.loc[scored].to_numpy(dtype=np.float64)
    p_D, base_D = p.loc[scored].to_numpy(dtype=np.float64), np.full(len(scored), base_rate)
    return replace(
        found,
        loss=float(log_loss(y_D, p_D, labels=[0, 1])),
        base_rate_loss=float(log_loss(y_D, base_D, labels=[0, 1])),
        difference=paired_difference(y_D, p_D, base_D, horizon=target.horizon),
    )


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
