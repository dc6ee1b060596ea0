"""The spec: everything that determines a trial, and its flat form for the record."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import date
from functools import cache
from typing import Any, get_type_hints

from model.spec.architecture import Architecture, total_parameters
from model.spec.budget import DEFAULT_TOLERANCE, Budget
from model.spec.choices import (
    BLEND_RULE,
    COSINE,
    DISTRIBUTION_LINEAR,
    FAN_IN,
    INITS,
    NONE,
    OFFSETS,
    SCHEDULES,
    WIDTH_RATES,
    read_blend,
)
from model.spec.migrations import RECORD_SCHEMA, SCHEMA, complete, identity
from pipeline.exceptions import InputError, RecordError
from pipeline.splits.splits import Split
from pipeline.splits.target import Target

DERIVED = ("n_params", "architecture", "train_tickers", "spec_hash")
LARGEST_SEED = 2**63 - 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Data:
    """Which data: the dataset version and what it was made of.

    Parameters
    ----------
    dataset : str
        Digest of the dataset version.
    snapshots : str
        ``ticker=digest`` of everything that went in, separated by commas.
    ticker, source, tier : str
        As in :class:`pipeline.datasets.dataset.DatasetVersion`.
    train_datasets : str
        ``ticker=digest`` of other dataset versions whose training rows are pooled with this
        one's, separated by commas; ``none`` is this one alone.
    """

    dataset: str
    snapshots: str
    ticker: str
    source: str
    tier: str
    train_datasets: str = NONE

    def __post_init__(self) -> None:
        if self.train_datasets == NONE:
            return
        pooled = [ticker for ticker, _ in self._pooled()]
        if not all(pooled) or len({self.ticker, *pooled}) <= len(pooled):
            raise InputError(
                f"train_datasets must be {NONE} or ticker=digest of other tickers, each once, separated by commas, "
                f"got {self.train_datasets!r}"
            )

    @property
    def train_tickers(self) -> str:
        """Every ticker that is trained on, separated by commas, the forecast one first."""
        return ",".join([self.ticker, *(ticker for ticker, _ in self._pooled())])

    @property
    def pooled_digests(self) -> tuple[str, ...]:
        """Digests of the pooled dataset versions."""
        return tuple(digest for _, digest in self._pooled())

    def _pooled(self) -> list[tuple[str, str]]:
        entries = [] if self.train_datasets == NONE else self.train_datasets.split(",")
        return [(ticker, digest) for ticker, _, digest in (entry.rpartition("=") for entry in entries)]


@dataclass(frozen=True, kw_only=True, slots=True)
class Training:
    """How a model is fitted; every field reaches the optimizer, the schedule or the model.

    Parameters
    ----------
    learning_rate : float
        Peak rate of AdamW.
    weight_decay : float
        Decoupled decay of matrices; norms, biases and positions have none.
    beta1, beta2, epsilon : float
        AdamW's moments and denominator.
    warmup_fraction : float
        Share of all steps during which the rate rises linearly.
    schedule : str
        What follows: ``cosine``, to zero at the end of the last epoch; or ``flat``, the peak rate throughout.
    width_rates : str
        ``none``; or ``fan_in``: matrices inside the blocks learn at the rate times 64 over their inputs, the head at
        the rate times 64 over the width, so that one rate serves all widths (muP: Yang et al., 2022, "Tensor
        Programs V", table 3).
    init : str
        How weights start: ``fan_in``, with a standard deviation of one over the root of a matrix's inputs; or
        ``normal``, 0.02 whatever the width.  Either way the outputs of residual branches are divided by the root of
        twice the layers (GPT-2, section 2.3).
    dropout : float
        Of the embedding and the residual branches.
    attention_dropout : float
        Of the attention weights.
    label_smoothing : float
        Share of the way from an outcome to 1/2 that its training label is moved.
    offset : str
        ``none``; or the baseline, ``logistic`` or ``boosting``, whose logit is frozen and
        added to the Transformer's, whose head then starts at zero; or, for a distribution,
        ``distribution_linear``: the same head, linear in the static features.
    blend : str
        ``none``; or a baseline and its share, as in ``boosting:0.5``: the model's logit is the
        mean of its own and the baseline's, so weighted; training knows nothing of it.
    batch_size : int
        Windows a step.
    clip_norm : float
        Largest gradient norm.
    max_epochs, patience : int
        Most epochs, and epochs without a better validation loss before stopping; a patience of 0 trains
        all of them and keeps the last, so that no validation day chooses.
    first_epoch : int
        First candidate for the best epoch: 0 is a model with an offset before it is trained, 1 the first epoch.
    weight_average : float
        Decay a step of the moving average of weights that is evaluated and kept; 0 keeps the weights themselves.
    n_thresholds : int
        Of a distribution: random thresholds a day, horizon and step, whose log loss is learned beside the asked one's.
    largest_threshold : float
        Of these, in sigma; they are uniform from 0.
    """

    learning_rate: float = 3e-4
    weight_decay: float = 1e-2
    beta1: float = 0.9
    beta2: float = 0.95
    epsilon: float = 1e-8
    warmup_fraction: float = 0.1
    schedule: str = COSINE
    width_rates: str = NONE
    init: str = FAN_IN
    dropout: float = 0.2
    attention_dropout: float = 0.0
    label_smoothing: float = 0.0
    offset: str = NONE
    blend: str = NONE
    batch_size: int = 128
    clip_norm: float = 1.0
    max_epochs: int = 6
    patience: int = 2
    first_epoch: int = 0
    weight_average: float = 0.0
    n_thresholds: int = 4
    largest_threshold: float = 3.0

    def __post_init__(self) -> None:
        rules = {
            "learning_rate": (0 < self.learning_rate < math.inf, "positive and finite"),
            "weight_decay": (0 <= self.weight_decay < math.inf, "at least 0 and finite"),
            "beta1": (0 <= self.beta1 < 1, "in [0, 1)"),
            "beta2": (0 <= self.beta2 < 1, "in [0, 1)"),
            "epsilon": (0 < self.epsilon < math.inf, "positive and finite"),
            "warmup_fraction": (0 <= self.warmup_fraction < 1, "in [0, 1)"),
            "dropout": (0 <= self.dropout < 1, "in [0, 1)"),
            "attention_dropout": (0 <= self.attention_dropout < 1, "in [0, 1)"),
            "label_smoothing": (0 <= self.label_smoothing < 1, "in [0, 1)"),
            "offset": (self.offset in OFFSETS, f"one of {', '.join(OFFSETS)}"),
            "batch_size": (_is_whole(self.batch_size, 1), "a whole number, at least 1"),
            "clip_norm": (self.clip_norm > 0, "positive"),
            "max_epochs": (_is_whole(self.max_epochs, 1), "a whole number, at least 1"),
            "patience": (_is_whole(self.patience, 0), "a whole number, at least 0"),
            "schedule": (self.schedule in SCHEDULES, f"one of {', '.join(SCHEDULES)}"),
            "width_rates": (self.width_rates in WIDTH_RATES, f"one of {', '.join(WIDTH_RATES)}"),
            "init": (self.init in INITS, f"one of {', '.join(INITS)}"),
            "blend": (self.blend == NONE or read_blend(self.blend) is not None, BLEND_RULE),
            "first_epoch": (self.first_epoch in (0, 1), "0 or 1"),
            "weight_average": (0 <= self.weight_average < 1, "in [0, 1)"),
            "n_thresholds": (_is_whole(self.n_thresholds, 1), "a whole number, at least 1"),
            "largest_threshold": (0 < self.largest_threshold < math.inf, "positive and finite"),
        }
        for name, (holds, rule) in rules.items():
            if not holds:
                raise InputError(f"{name} must be {rule}, got {getattr(self, name)!r}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Spec:
    """Everything that determines a trial.

    Parameters
    ----------
    data, target, split, architecture, training
        The parts, each owned by what it describes.
    budget : str
        Parameter budget, as the user wrote it.
    tolerance : float
        Allowed deviation from the budget, a fraction.
    seed : int
        Of weights, batch order and dropout; of the first model where there are several.
    n_folds : int
        Whole years before the test that are forecast, each by a model of the years before it; 0 is one model, of the
        training days, and the split's validation days.
    n_seeds : int
        Models of each, with this seed and those after it, whose probabilities are averaged.

    Raises
    ------
    InputError
        If the architecture's parameter count is outside the budget's tolerance, or a day of a fold would choose the
        epoch.
    """

    data: Data
    target: Target
    split: Split
    architecture: Architecture
    training: Training
    budget: str
    tolerance: float = DEFAULT_TOLERANCE
    seed: int = 0
    n_folds: int = 0
    n_seeds: int = 1

    def __post_init__(self) -> None:
        for name, least in (("n_folds", 0), ("n_seeds", 1)):
            if not _is_whole(getattr(self, name), least):
                raise InputError(f"{name} must be a whole number, at least {least}, got {getattr(self, name)!r}")
        if not _is_whole(self.seed, 0) or self.seed > LARGEST_SEED - (self.n_seeds - 1):
            raise InputError(f"seed must be a whole number from 0 to {LARGEST_SEED}, got {self.seed!r}")
        if self.n_folds and self.training.patience:
            raise InputError(
                f"patience of folds must be 0, or their own days would choose the epoch, got {self.training.patience}"
            )
        self._require_head()
        budget = Budget(text=self.budget, tolerance=self.tolerance)
        if not budget.allows(self.n_params):
            raise InputError(
                f"a trial must be within ±{self.tolerance * 100:g} % of its budget {self.budget}, got "
                f"{self.n_params:,} parameters in {self.architecture.label}; take an architecture of the grid"
            )

    def _require_head(self) -> None:
        """Refuse a head that can't answer the target, or an offset of another head."""
        ahead, horizon, offset = self.architecture.ahead, self.target.horizon, self.training.offset
        if ahead and horizon not in ahead:
            raise InputError(f"horizons of a distribution must hold the target's, got {ahead} and {horizon}")
        allowed = (NONE, DISTRIBUTION_LINEAR) if ahead else OFFSETS[:-1]
        if offset not in allowed:
            raise InputError(
                f"offset of a {self.architecture.head} head must be one of {', '.join(allowed)}, got {offset!r}"
            )
        if ahead and not self.architecture.n_static:
            raise InputError(
                f"a distribution is measured in the sigma of a tier of two parts, got tier {self.data.tier}; take "
                "tier s40, or s33 where there is no VIX, or head binary"
            )

    @property
    def n_params(self) -> int:
        """Exact parameter count."""
        return total_parameters(self.architecture)

    @property
    def seeds(self) -> range:
        """Of its models."""
        return range(self.seed, self.seed + self.n_seeds)

    @property
    def hash(self) -> str:
        """Name of the spec: 16 hex digits over every field; one that joined later counts where it is not as before."""
        text = json.dumps(identity(flatten(self)), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def params(self) -> dict[str, str]:
        """Flatten to MLflow params: every field, the derived count, label and hash, and the schema of the record."""
        derived = (str(self.n_params), self.architecture.label, self.data.train_tickers, self.hash)
        return {**dict(flatten(self)), **dict(zip(DERIVED, derived, strict=True)), RECORD_SCHEMA: str(SCHEMA)}

    @classmethod
    def from_params(cls, params: Mapping[str, str]) -> Spec:
        """Rebuild the spec from its params: the inverse of :meth:`params`; params of others are ignored.

        What a record of an earlier schema lacks is taken from :data:`model.spec.migrations.MIGRATIONS`.

        Raises
        ------
        RecordError
            If a field is missing or unreadable, or the derived count, label or
            hash is not that of the rebuilt spec.
        """
        params = complete(params)
        missing = [name for name in (*field_names(cls), *DERIVED) if name not in params]
        if missing:
            raise RecordError(f"a record must hold every field of its spec, missing {', '.join(missing)}")
        try:
            spec: Spec = unflatten(cls, params)
            spec = replace(spec, architecture=spec.architecture.called(params["architecture"]))
        except (TypeError, ValueError) as error:
            raise RecordError(f"a record's params must make a spec, got: {error}") from error
        rebuilt = spec.params()
        different = [name for name in DERIVED if params[name] != rebuilt[name]]
        if different:
            raise RecordError(f"a record's {different[0]} must be that of its spec, got {params[different[0]]!r}")
        return spec

    def differences(self, params: Mapping[str, str]) -> dict[str, tuple[str, str]]:
        """Params of a record that are not this spec's: what the record holds (``none`` is nothing), and what is here.

        A record of an earlier schema is completed first, and its schema is no difference.
        """
        held = {**complete(params), RECORD_SCHEMA: str(SCHEMA)}
        return {name: (held.get(name, NONE), value) for name, value in self.params().items() if held.get(name) != value}


@cache
def _hints(cls: Any) -> dict[str, Any]:
    """Types of a class's fields; Python works them out anew at every call."""
    return get_type_hints(cls)


def flatten(value: Any) -> Iterator[tuple[str, str]]:
    """Leaf fields of a dataclass tree with their text forms; names are unique over the tree.

    Equal values have equal texts: 1 in a field of floats is ``1.0``, and minus zero is ``0.0``.
    """
    kind: Any = type(value)
    hints = _hints(kind)
    for field in fields(value):
        leaf = getattr(value, field.name)
        if is_dataclass(leaf):
            yield from flatten(leaf)
        else:
            yield field.name, repr(float(leaf) + 0.0) if hints[field.name] is float else str(leaf)


def field_names(cls: type) -> Iterator[str]:
    """Names of the leaf fields of a dataclass tree."""
    hints = _hints(cls)
    for field in fields(cls):
        if is_dataclass(hints[field.name]):
            yield from field_names(hints[field.name])
        else:
            yield field.name


def _is_whole(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def unflatten(cls: type, params: Mapping[str, str]) -> Any:
    """Rebuild a dataclass tree from its leaf fields: the inverse of :func:`flatten`."""
    hints = _hints(cls)
    return cls(**{field.name: _read(hints[field.name], field.name, params) for field in fields(cls)})


def read_fields(cls: type, params: Mapping[str, str]) -> dict[str, Any]:
    """Values of those leaf fields of a dataclass that the params hold, by name."""
    hints = _hints(cls)
    return {field.name: _read(hints[field.name], field.name, params) for field in fields(cls) if field.name in params}


def _read(kind: type, name: str, params: Mapping[str, str]) -> Any:
    if is_dataclass(kind):
        return unflatten(kind, params)
    return date.fromisoformat(params[name]) if kind is date else kind(params[name])


assert len(set(field_names(Spec))) == len(list(field_names(Spec))), "two parts of the spec share a field name"
