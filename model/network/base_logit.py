"""Base logits: a baseline fitted first and kept frozen, to whose logit the Transformer adds what it finds beyond.

It reads the last day of a window.  What was fitted lies in buffers, so that a checkpoint holds it.

Shapes in names: B windows, F features, E trees, N nodes of a tree.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from model.network.float64 import HostFloat64, in_float64
from model.spec.choices import NONE
from model.windows import Windows, to_tensor
from pipeline.splits.splits import Index

if TYPE_CHECKING:
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.pipeline import Pipeline

    from model.baselines.features import Boosting, Logistic

Array = npt.NDArray[np.float64]

N_FOLDS = 5


class LogisticBaseLogit(HostFloat64):
    """Logit of a logistic regression: one weight a feature, on raw features, and a bias, in float64."""

    weight_F: Tensor
    bias: Tensor

    def __init__(self, n_features: int) -> None:
        super().__init__()
        self.register_buffer("weight_F", torch.zeros(n_features, dtype=torch.float64))
        self.register_buffer("bias", torch.zeros((), dtype=torch.float64))

    def forward(self, x_BF: Tensor) -> Tensor:
        """Logits of shape (windows,) from the last day's features, shape (windows, features)."""
        return ((in_float64(x_BF) * self.weight_F).sum(1) + self.bias).float().to(x_BF.device)

    def take(self, classifier: Pipeline) -> None:
        """Hold what :class:`model.baselines.Logistic` fitted, its standardisation folded in."""
        scaler, regression = classifier[0], classifier[-1]
        weight = regression.coef_[0] / scaler.scale_
        self.weight_F.copy_(torch.from_numpy(weight))
        self.bias.fill_(float(regression.intercept_[0] - weight @ scaler.mean_))


class BoostedBaseLogit(HostFloat64):
    """Logit of boosted trees: every node's feature, threshold, children and value; unused trees add zero."""

    feature_EN: Tensor
    threshold_EN: Tensor
    children_EN2: Tensor
    value_EN: Tensor
    bias: Tensor

    def __init__(self, settings: Boosting) -> None:
        super().__init__()
        shape = (settings.max_iter, 2 * settings.max_leaf_nodes - 1)
        self.depth = settings.max_leaf_nodes - 1
        self.register_buffer("feature_EN", torch.zeros(shape, dtype=torch.int64))
        self.register_buffer("threshold_EN", torch.zeros(shape, dtype=torch.float64))
        self.register_buffer("children_EN2", torch.zeros((*shape, 2), dtype=torch.int64))
        self.register_buffer("value_EN", torch.zeros(shape, dtype=torch.float64))
        self.register_buffer("bias", torch.zeros((), dtype=torch.float64))

    def forward(self, x_BF: Tensor) -> Tensor:
        """Logits of shape (windows,) from the last day's features, shape (windows, features)."""
        given_BF = in_float64(x_BF)
        trees_E = torch.arange(len(self.value_EN), device=given_BF.device)
        node_BE = torch.zeros((len(x_BF), len(trees_E)), dtype=torch.int64, device=given_BF.device)
        for _ in range(self.depth):
            x_BE = given_BF.gather(1, self.feature_EN[trees_E, node_BE])
            goes_right_BE = (x_BE > self.threshold_EN[trees_E, node_BE]).long()
            node_BE = self.children_EN2[trees_E, node_BE, goes_right_BE]
        return (self.value_EN[trees_E, node_BE].sum(1) + self.bias).float().to(x_BF.device)

    @property
    def n_trees(self) -> int:
        """Trees that are used."""
        return int(self.children_EN2.flatten(1).any(1).sum())

    def take(self, classifier: HistGradientBoostingClassifier) -> None:
        """Hold what :class:`model.baselines.Boosting` fitted; a leaf is its own child."""
        self.bias.fill_(float(classifier._baseline_prediction.item()))
        for buffer in (self.feature_EN, self.threshold_EN, self.children_EN2, self.value_EN):
            buffer.zero_()
        for tree, (predictor,) in enumerate(classifier._predictors):
            nodes = predictor.nodes
            own = np.arange(len(nodes))
            leaf = nodes["is_leaf"].astype(bool)
            children = np.stack([np.where(leaf, own, nodes[side]) for side in ("left", "right")], axis=1)
            threshold = np.where(leaf, np.inf, nodes["num_threshold"])
            self.feature_EN[tree, : len(own)] = torch.from_numpy(nodes["feature_idx"].astype(np.int64))
            self.threshold_EN[tree, : len(own)] = torch.from_numpy(threshold)
            self.children_EN2[tree, : len(own)] = torch.from_numpy(children.astype(np.int64))
            self.value_EN[tree, : len(own)] = torch.from_numpy(np.where(leaf, nodes["value"], 0.0))


BaseLogit = LogisticBaseLogit | BoostedBaseLogit


def make_base_logit(kind: str, n_features: int) -> BaseLogit | None:
    """Empty base logit of a spec's ``offset`` and feature count; None for ``none``."""
    if kind == NONE:
        return None
    from model.baselines.features import Boosting, Logistic

    return LogisticBaseLogit(n_features) if kind == Logistic.name else BoostedBaseLogit(Boosting())


def fit_base_logit(base_logit: BaseLogit, windows: Windows, *, horizon: int) -> None:
    """Fit to the training rows, in place.

    Parameters
    ----------
    base_logit : LogisticBaseLogit or BoostedBaseLogit
        From :func:`make_base_logit`.
    windows : Windows
        Their training rows and labels are read, no others.
    horizon : int
        Days that a label reaches ahead.
    """
    from model.baselines.features import Boosting, Logistic

    settings = Logistic() if isinstance(base_logit, LogisticBaseLogit) else Boosting()
    base_logit.take(_classifier(settings, horizon, *(_Held(each) for each in _samples(windows))))


class _Held:
    """An array that can be asked for again: equal where its bytes are."""

    def __init__(self, values: npt.NDArray[Any]) -> None:
        self.values = values
        self._digest = hashlib.sha256(np.ascontiguousarray(values).tobytes()).digest()

    def __hash__(self) -> int:
        return hash(self._digest)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Held) and self._digest == other._digest


@lru_cache(maxsize=1)
def _classifier(settings: Logistic | Boosting, horizon: int, x_NF: _Held, y_N: _Held, day_N: _Held) -> Any:
    """Fit; models of several seeds are built on the same rows one after the other, and the fit is the same for all."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        classifier, _ = settings.fit(x_NF.values, y_N.values, day_N.values, horizon)
    return classifier


def training_base_logits(base_logit: BaseLogit, windows: Windows, *, horizon: int) -> Tensor:
    """Give every training row's base logit, as the Transformer is to see it in training.

    A regression of few weights is taken as it was fitted.  Trees know the rows that they
    were fitted to: each fifth of the training days is given by as many trees that were fitted to
    the other four, less ``horizon`` days at either end.

    Parameters
    ----------
    base_logit : LogisticBaseLogit or BoostedBaseLogit
        Fitted.
    windows : Windows
        Those it was fitted to.
    horizon : int
        Days that a label reaches ahead.

    Returns
    -------
    Tensor of shape (days,)
        By row, on the windows' device; NaN where nothing is trained on.
    """
    device = windows.x_DF.device
    rows = to_tensor(windows.train_rows, device)
    base_logit_D = torch.full((len(windows.x_DF),), torch.nan, device=device)
    if isinstance(base_logit, LogisticBaseLogit):
        base_logit_D[rows] = base_logit(windows.x_DF[rows])
        return base_logit_D
    from threadpoolctl import threadpool_limits

    from model.baselines.features import Boosting

    x_NF, y_N, day_N = _samples(windows)
    held_out = BoostedBaseLogit(Boosting()).to(device)
    for held, others in cross_fitting_folds(day_N, gap=horizon):
        with threadpool_limits(1):
            held_out.take(Boosting().grow(x_NF[others], y_N[others], base_logit.n_trees))
        base_logit_D[rows[held]] = held_out(windows.x_DF[rows[held]])
    return base_logit_D


def cross_fitting_folds(day_N: Index, *, gap: int) -> list[tuple[Index, Index]]:
    """Split samples into fifths of consecutive days: each with the samples more than ``gap`` days away from it.

    Examples
    --------
    >>> held, others = cross_fitting_folds(np.arange(10), gap=1)[1]
    >>> held, others
    (array([2, 3]), array([0, 5, 6, 7, 8, 9]))
    """
    folds = []
    for days in np.array_split(np.arange(day_N.max() + 1), N_FOLDS):
        inside = (day_N >= days[0]) & (day_N <= days[-1])
        away = (day_N < days[0] - gap) | (day_N > days[-1] + gap)
        folds.append((np.flatnonzero(inside), np.flatnonzero(away)))
    return folds


def _samples(windows: Windows) -> tuple[Array, Array, Index]:
    rows = windows.train_rows
    x_NF = windows.x_DF[to_tensor(rows, windows.x_DF.device)].cpu().numpy().astype(np.float64)
    return x_NF, windows.outcomes(rows), windows.day_numbers(rows)
