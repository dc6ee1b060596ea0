"""Comparison of two versions on the days that both forecast out of sample."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from rich.table import Table

from pipeline.exceptions import InputError
from search.evidence.bootstrap import Interval
from search.evidence.difference import Difference, paired_difference
from search.evidence.long_run import score_intervals
from search.evidence.text import interval_text, json_ready, number_text
from search.registry.gate.collect import track_record_of_version
from search.registry.gate.decision import collect_track_record
from search.registry.gate.gate import MIN_COMMON_DAYS
from search.registry.gate.track_record import TrackRecord, common_days
from search.registry.versions.by_hand import BY_HAND, is_by_hand, question_of
from search.registry.versions.versions import find_version
from search.results.class_counts import MIN_CLASS_DAYS
from search.tracking.stores import Stores, resolve_stores

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion
    from rich.console import Console

METRICS = {"roc_auc": "AUC", "loss": "log loss", "brier": "Brier"}
LEAST_DAYS = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """Two versions side by side.

    Parameters
    ----------
    names, sources : tuple of str
        Of both.
    first, last : str
        First and last common day, ISO dates.
    n_days, left_out : int
        Common days, and those left out because the records disagree about the outcome.
    scores : tuple of dict
        Interval by metric, of both.
    differences : dict
        First less second, by metric.
    """

    names: tuple[str, str]
    sources: tuple[str, str]
    first: str
    last: str
    n_days: int
    left_out: int
    scores: tuple[Mapping[str, Interval], Mapping[str, Interval]]
    differences: Mapping[str, Difference]

    @property
    def verdict(self) -> str:
        """Which is better in log loss, in words; or that these days can't tell."""
        found = self.differences["loss"]
        if self.n_days < MIN_COMMON_DAYS:
            return f"unknown: {self.n_days} common days are fewer than {MIN_COMMON_DAYS}"
        if math.isnan(found.p_value):
            return f"unknown: fewer than {MIN_CLASS_DAYS} of {self.n_days} common days are of one class"
        if found.low > 0 or found.high < 0:
            better, worse = self.names if found.high < 0 else self.names[::-1]
            return f"{better} is better than {worse} in log loss, by {abs(found.value):.4f}"
        return (
            f"no difference detected in log loss; {self.n_days:,} days can show {found.detectable:.4f}, "
            f"these two differ by {abs(found.value):.4f}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return everything, for JSON."""
        found: dict[str, Any] = json_ready({**asdict(self), "verdict": self.verdict})
        return found

    def show(self, console: Console) -> None:
        """Print a table, what each stands on, and the verdict."""
        table = Table(title=f"{self.n_days:,} days that both forecast, {self.first} to {self.last}")
        for name in ("metric", *self.names, "difference", "p, one-sided", "detectable"):
            table.add_column(name, justify="left" if name == "metric" else "right")
        for metric, label in METRICS.items():
            found = self.differences[metric]
            shown = [*(interval_text(each[metric]) for each in self.scores), interval_text(found, sign=True)]
            table.add_row(label, *shown, number_text(found.p_value), number_text(found.detectable))
        console.print(table)
        for name, source in zip(self.names, self.sources, strict=True):
            console.print(f"{name}: {source}", markup=False)
        if self.left_out:
            console.print(f"{self.left_out} common days left out: restated prices changed their outcome", markup=False)
        console.print(self.verdict, markup=False)


def compare_versions(client: MlflowClient, a: str, b: str, *, stores: Stores | None = None) -> Comparison:
    """Compare two versions, as a user writes them.

    What a version forecast is read beside it; of one that was made by hand, from its study.

    Parameters
    ----------
    client : MlflowClient
        Of the registry.
    a, b : str
        The versions.
    stores : Stores, optional
        Where studies are; the environment's if not given.

    Raises
    ------
    InputError
        If one does not exist, they are of different models, or share no days.
    """
    versions = [find_version(client, text) for text in (a, b)]
    questions = [question_of(version) for version in versions]
    if questions[0] != questions[1]:
        raise InputError(
            f"two versions to compare must answer one question, got {questions[0]} and {questions[1]}; "
            "compare versions of one model"
        )
    return compare_track_records(*(_track_record(client, version, stores) for version in versions))


def _track_record(client: MlflowClient, version: ModelVersion, stores: Stores | None) -> TrackRecord:
    if not is_by_hand(version):
        return track_record_of_version(client, version)
    found = collect_track_record(stores or resolve_stores(), client, version)
    return replace(found, source=f"{BY_HAND}; {found.source}")


def compare_track_records(a: TrackRecord, b: TrackRecord) -> Comparison:
    """Compare two track records on their common days.

    Raises
    ------
    InputError
        If there are fewer than two more common days than the horizon.
    """
    common = common_days(a, b)
    n_days = len(common.y_D)
    if n_days < a.horizon + LEAST_DAYS:
        raise InputError(
            f"two versions to compare must share days that both forecast out of sample, got {n_days} between "
            f"{a.name} and {b.name}; register one anew on the other's days"
        )
    pair = (common.p_a_D, common.p_b_D)
    return Comparison(
        names=(a.name, b.name),
        sources=(a.source, b.source),
        first=str(common.dates_D[0].date()),
        last=str(common.dates_D[-1].date()),
        n_days=n_days,
        left_out=common.left_out,
        scores=tuple(score_intervals(common.y_D, p_D) for p_D in pair),  # type: ignore[arg-type]
        differences={
            metric: paired_difference(common.y_D, *pair, horizon=a.horizon, metric=metric) for metric in METRICS
        },
    )
