"""Live prediction: what a version says of the newest session, and how it did on days it could not know."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import log_loss

from model.network.question import asked_target
from model.serving.package_info import PackageFacts
from pipeline.datasets.dataset import DatasetVersion
from pipeline.datasets.drift import SHIFTED_FROM
from pipeline.datasets.raw_bars import raw_bars
from pipeline.splits.splits import MIN_EVALUATION_DAYS, Split
from pipeline.splits.target import Target
from search.evidence.difference import Difference, paired_difference
from search.evidence.text import difference_text, json_ready
from search.registry.description import question
from search.registry.live.champion import champion_for
from search.registry.live.drift import DRIFT_DAYS, Drift, drifted_features, outside_features
from search.registry.live.newest_data import newest_dataset
from search.registry.packaging.ask_version import ask_version
from search.registry.versions.by_hand import BY_HAND, is_by_hand
from search.registry.versions.version_spec import context_length_of
from search.registry.versions.versions import DATA_LAST, find_version, require_tag, version_name
from search.study.plan import Plan
from search.study.request import HpoRequest
from search.study.study import load_study
from search.tracking.stores import Stores, open_tracking
from search.tracking.tags import STUDY


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
class Live:
    """A forecast of the newest session.

    Parameters
    ----------
    version, question, date : str
        Which version, what it answers, and the session that it forecasts from.
    probability, base_rate : float
        Of the event, and its share of the days of training.
    horizon, threshold
        That are asked about.
    quantiles : dict or None
        Rise of the highest price within the horizon as a fraction of the close, by share of probability; None of a
        binary head.
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
    quantiles: dict[str, float] | None
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
        if self.quantiles is not None:
            yield f"{self.date}: {range_text(self.quantiles, self.horizon)}"
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


def range_text(quantiles: Mapping[str, float], horizon: int) -> str:
    """Say where the highest price will probably lie.

    Examples
    --------
    >>> range_text({"0.05": -0.0012, "0.5": 0.0061, "0.95": 0.0243}, 3)
    'with 90 % probability the highest price within 3 sessions is -0.12 % to +2.43 % from the close, median +0.61 %'
    """
    low, median, high = (f"{100 * quantiles[share]:+.2f} %" for share in ("0.05", "0.5", "0.95"))
    days = "1 session" if horizon == 1 else f"{horizon} sessions"
    return f"with 90 % probability the highest price within {days} is {low} to {high} from the close, median {median}"


def predict_champion(
    stores: Stores, ticker: str, *, horizon: int | None = None, threshold: float | None = None, **how: Any
) -> Live:
    """Forecast with the champion of a ticker that answers; it says which, where that is not the target's own.

    Parameters
    ----------
    stores : Stores
        Where the record is.
    ticker : str
        Whose champion.
    horizon, threshold : optional
        What is asked; what ``hpo`` asks if not given.
    **how
        As of :func:`predict_live`.

    Raises
    ------
    InputError
        If there is none.
    """
    usual = HpoRequest().target
    target = Target(
        horizon=usual.horizon if horizon is None else horizon,
        threshold=usual.threshold if threshold is None else threshold,
    )
    champion = champion_for(stores, ticker, target)
    found = predict_live(
        stores, version_name(champion.version), horizon=target.horizon, threshold=target.threshold, **how
    )
    return replace(found, remarks=(champion.why, *found.remarks)) if champion.why else found


def predict_live(
    stores: Stores,
    text: str,
    *,
    horizon: int | None = None,
    threshold: float | None = None,
    source: str = "",
    offline: bool = False,
    today: date | None = None,
) -> Live:
    """Refresh the data of a version's ticker, and forecast from the newest session.

    Parameters
    ----------
    stores : Stores
        Where the record is.
    text : str
        The version, as a user writes it.
    horizon, threshold : optional
        What a distribution is asked; the study's own if not given.
    source, offline, today
        As in :func:`search.registry.live.newest_data.newest_dataset`.

    Raises
    ------
    InputError
        If there is no such version, or it can't answer what is asked.
    """
    client = open_tracking(stores)
    version = find_version(client, text)
    study = load_study(stores, require_tag(version, STUDY), client=client)
    plan, root = study.plan, study.data_root
    asked = asked_target(plan.target, plan.ahead, horizon, threshold)
    dataset, remarks = newest_dataset(root, plan.data, source=source, offline=offline, today=today)
    since = pd.Timestamp(require_tag(version, DATA_LAST))
    span = span_to_ask(dataset.dates, since, plan.split)
    answer = ask_version(stores, version, raw_bars(root, dataset), span=span, asked=asked)
    p, facts, trained_on = answer.p, answer.facts, study.load_data()[0]
    base_rate = facts.base_rate
    if is_by_hand(version):
        remarks = (f"{version_name(version)} was {BY_HAND}", *remarks)
    if asked != plan.target:
        base_rate = base_rate_of(asked, trained_on, plan, facts, context_length_of(client, version, plan))
    return Live(
        version=version_name(version),
        question=question(plan.data.ticker, asked),
        date=str(p.index[-1].date()),
        probability=float(p.iloc[-1]),
        base_rate=base_rate,
        horizon=asked.horizon,
        threshold=asked.threshold,
        quantiles={f"{share:g}": rise for share, rise in answer.quantiles.items()} or None,
        record=live_record(p, dataset.frame, asked, plan.split, since=since, base_rate=base_rate),
        drifted=drifted_features(dataset, facts, trained_on),
        outside=outside_features(dataset, facts),
        remarks=remarks,
    )


def span_to_ask(dates_D: pd.DatetimeIndex, since: pd.Timestamp, split: Split) -> tuple[pd.Timestamp, pd.Timestamp]:
    """First and last day whose forecast is shown or scored: the newest, and those after ``since`` that are not sealed.

    To forecast every day of a series takes a model of 200M parameters minutes.
    """
    unseen = dates_D[dates_D > _last_closed(since, split)]
    return (unseen[0] if len(unseen) else dates_D[-1]), dates_D[-1]


def base_rate_of(
    asked: Target, trained_on: DatasetVersion, plan: Plan, facts: PackageFacts, context_length: int
) -> float:
    """Share of the days of training on which what is asked about happened.

    Parameters
    ----------
    asked : Target
        The question.
    trained_on : DatasetVersion
        That the version was trained on.
    plan : Plan
        Of its study.
    facts : PackageFacts
        Of the version: through which session its labels read prices.
    context_length : int
        Days that the version sees: its first training row has a whole window.
    """
    known = trained_on.frame[trained_on.dates <= pd.Timestamp(facts.trained_through)]
    labels = pd.Series(asked.labels(known), index=known.index).iloc[context_length - 1 :]
    return float(labels.loc[str(plan.split.train_start) :].mean())


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
    later = bars[bars.index > _last_closed(since, split)]
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


def _last_closed(since: pd.Timestamp, split: Split) -> pd.Timestamp:
    """Last day that is not scored: what a version was registered with, and the sealed days."""
    return max(since, pd.Timestamp(split.test_end))
