"""What a package says of itself: where its models come from, and what their inputs looked like in training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from model.spec.spec import Spec
from pipeline.datasets.dataset import DatasetVersion
from pipeline.datasets.drift import Reference
from pipeline.exceptions import InputError
from pipeline.splits.splits import Index

KNOWN_DAYS = 250


@dataclass(frozen=True, kw_only=True, slots=True)
class PackageFacts:
    """Facts of a package.

    Parameters
    ----------
    ticker, tier, tier_code, dataset, features
        As in :class:`pipeline.datasets.dataset.DatasetVersion`; ``dataset`` is its digest.
    study : str
        Study that chose the spec; empty if there is none.
    base_rate : float
        Share of positive outcomes among the training rows of the forecast ticker.
    n_train : int
        Number of these rows.
    trained_through : str
        Last session whose prices a training label read, ISO date: later days are unseen.
    n_epochs : tuple of int
        Epochs of each member.
    seeds : tuple of int
        Of each member.
    references : mapping
        Feature to what it looked like on the training rows, for a warning of drift.
    closes : mapping
        Close as traded by ISO date, on the last days of training: they tell whose bars a caller sends.
    accepted : tuple of str
        Findings of the checks that were accepted for its dataset version, and are accepted of callers.
    """

    ticker: str
    tier: str
    tier_code: str
    dataset: str
    features: tuple[str, ...]
    study: str
    base_rate: float
    n_train: int
    trained_through: str
    n_epochs: tuple[int, ...]
    seeds: tuple[int, ...]
    references: Mapping[str, Reference]
    closes: Mapping[str, float] = field(default_factory=dict)
    accepted: tuple[str, ...] = ()


def package_facts(
    specs: Sequence[Spec], dataset: DatasetVersion, rows: Index, *, n_epochs: Sequence[int], study: str = ""
) -> PackageFacts:
    """Gather the facts of models that were trained on these rows.

    Parameters
    ----------
    specs : sequence of Spec
        Of the members.
    dataset : DatasetVersion
        Of the forecast ticker.
    rows : ndarray of shape (samples,)
        Its forecast rows that were trained on; each has an outcome.
    n_epochs : sequence of int
        Epochs of each member.
    study : str, optional
        Study that chose the spec.

    Raises
    ------
    InputError
        If there are no rows, or one has no outcome.
    """
    target = specs[0].target
    y_N = target.labels(dataset.frame)[rows]
    if not len(rows) or np.isnan(y_N).any():
        raise InputError(f"a package must be trained on rows with outcomes, got {len(rows)} rows; widen the split")
    x_NF = dataset.frame[list(dataset.features)].to_numpy()[rows]
    known = dataset.frame["close"].iloc[rows[-KNOWN_DAYS:]]
    return PackageFacts(
        ticker=dataset.ticker,
        tier=dataset.tier,
        tier_code=dataset.tier_code,
        dataset=dataset.digest,
        features=dataset.features,
        study=study,
        base_rate=float(y_N.mean()),
        n_train=len(rows),
        trained_through=str(dataset.dates[int(rows.max()) + target.horizon].date()),
        n_epochs=tuple(n_epochs),
        seeds=tuple(spec.seed for spec in specs),
        references={name: Reference.of(x_NF[:, column]) for column, name in enumerate(dataset.features)},
        closes=dict(zip(known.index.strftime("%Y-%m-%d"), map(float, known), strict=True)),
        accepted=dataset.accepted,
    )


def facts_from_json(content: Mapping[str, Any]) -> PackageFacts:
    """Rebuild facts from what :func:`dataclasses.asdict` and JSON made of them."""
    references = {
        name: Reference(**{**each, "edges": tuple(each["edges"]), "shares": tuple(each["shares"])})
        for name, each in content["references"].items()
    }
    listed = {name: tuple(value) for name, value in content.items() if isinstance(value, list)}
    return PackageFacts(**{**content, **listed, "references": references})
