"""Windows: views of one resident tensor, gathered by row number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pipeline.exceptions import InputError, SealedError
from pipeline.splits.holdout import HoldoutOpening, seal_labels, sealed_from
from pipeline.splits.splits import Index, Split, SplitRows, split_rows, training_rows
from pipeline.splits.target import Target

if TYPE_CHECKING:
    from pipeline.datasets.dataset import DatasetVersion


@dataclass(frozen=True, kw_only=True, slots=True)
class Windows:
    """What a trial trains and validates on.

    Rows count the days of the forecast ticker, then those of each ticker that is trained on beside it.

    Parameters
    ----------
    x_DF : Tensor of shape (days, features)
        Features by row.
    x_NTF : Tensor of shape (windows, context_length, features)
        A view of them: window i ends on row ``i + context_length - 1``.
    y_D : Tensor of shape (days,)
        Labels by row, NaN where there is none or it is sealed.
    y_host_D : ndarray of shape (days,)
        The same on the host.
    dates_D : ndarray of shape (days,)
        Session by row, datetime64.
    rows : SplitRows
        Forecast rows of each part, of the forecast ticker.
    train_rows : ndarray of shape (samples,)
        Forecast rows that are trained on, of every ticker.
    context_length : int
        Days in a window.
    sealed_from : datetime64, optional
        First forecast day whose label looks at the sealed test split, see :mod:`pipeline.splits.holdout`;
        None where nothing is.
    horizons : tuple of int
        Of which it is known how far the price went.
    reach_DH : Tensor of shape (days, horizons)
        Log of the highest price of the next days over the close, by row and horizon; NaN where it is not known or is
        sealed.
    """

    x_DF: Tensor
    x_NTF: Tensor
    y_D: Tensor
    y_host_D: npt.NDArray[np.float32]
    dates_D: npt.NDArray[np.datetime64]
    rows: SplitRows
    train_rows: Index
    context_length: int
    sealed_from: np.datetime64 | None = None
    horizons: tuple[int, ...] = ()
    reach_DH: Tensor | None = None

    def batch(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Features (rows, days, features) and labels (rows,) of these forecast rows."""
        return self.x_NTF[rows - (self.context_length - 1)], self.y_D[rows]

    def of_length(self, context_length: int) -> Windows:
        """Return the same rows seen through shorter windows, or as long ones.

        Parameters
        ----------
        context_length : int
            Days in a window, at most as many as now: all rows have a whole one then.
        """
        assert context_length <= self.context_length, "not every row has so long a context"
        if context_length == self.context_length:
            return self
        return replace(self, x_NTF=_view(self.x_DF, context_length), context_length=context_length)

    def outcomes(self, rows: Index) -> npt.NDArray[np.float64]:
        """Outcomes of these forecast rows on the host, shape (rows,), without asking the device.

        Raises
        ------
        SealedError
            If one of them is in the test split, which was not opened.
        """
        self.require_unsealed(rows)
        return self.y_host_D[rows].astype(np.float64)

    def require_unsealed(self, rows: Index) -> None:
        """Refuse forecast rows of the test split, unless it was opened.

        Raises
        ------
        SealedError
            If one of them is on a sealed day.
        """
        if self.sealed_from is not None and len(rows) and (self.dates_D[rows] >= self.sealed_from).any():
            raise SealedError(
                f"outcomes from {self.sealed_from.astype('datetime64[D]')} on are the sealed test split's; "
                "only patchscale evaluate MODEL_VERSION opens it"
            )

    def day_numbers(self, rows: Index) -> npt.NDArray[np.int64]:
        """Sessions of these rows, numbered from 0 in order of time; tickers that trade on one day share its number."""
        return np.unique(self.dates_D[rows], return_inverse=True)[1].astype(np.int64)

    def training_reach(self, horizon: int) -> Tensor:
        """Give the reach that training may read: where it ends by the last day that a label of the training rows does.

        Parameters
        ----------
        horizon : int
            Days that a label looks ahead.

        Returns
        -------
        Tensor of shape (days, horizons)
            By row; NaN elsewhere.
        """
        assert self.reach_DH is not None
        known_DH = torch.full_like(self.reach_DH, torch.nan)
        last = self.dates_D[self.train_rows + horizon].max()
        for column, ahead in enumerate(self.horizons):
            ends = np.minimum(self.train_rows + ahead, len(self.dates_D) - 1)
            inside = to_tensor(self.train_rows[self.dates_D[ends] <= last], known_DH.device)
            known_DH[inside, column] = self.reach_DH[inside, column]
        return known_DH

    def training_days(self) -> Tensor:
        """Features of every day that a training window sees, shape (days, features)."""
        ends = np.zeros(len(self.x_DF) + 1, dtype=np.int64)
        np.add.at(ends, self.train_rows + 1, -1)
        np.add.at(ends, self.train_rows - (self.context_length - 1), 1)
        return self.x_DF[torch.from_numpy(np.cumsum(ends[:-1]) > 0).to(self.x_DF.device)]


def make_windows(
    dataset: DatasetVersion,
    target: Target,
    split: Split,
    context_length: int,
    device: str | torch.device = "cpu",
    pooled: Sequence[DatasetVersion] = (),
    opening: HoldoutOpening | None = None,
    horizons: Sequence[int] = (),
) -> Windows:
    """Label, split and view a dataset version.

    Parameters
    ----------
    dataset : DatasetVersion
        Of the forecast ticker.
    target, split, context_length
        As in the spec.
    device : str or torch.device
        Where the features are to lie.
    pooled : sequence of DatasetVersion, optional
        Of other tickers whose training rows are trained on too.
    opening : HoldoutOpening, optional
        Recorded opening of the test split; without one, no label that looks at it is there.
    horizons : sequence of int, optional
        Of which a model learns how far the price goes, beside the target's own.

    Raises
    ------
    InputError
        If the split leaves too little to train or to validate on, or pooled
        versions have other features.
    """
    pool = (dataset, *pooled)
    labels = [target.labels(each.frame) for each in pool]
    first_row, horizon = context_length - 1, target.horizon
    rows = split_rows(dataset.dates, labels[0], split, horizon=horizon, first_row=first_row)
    train_rows, start = [rows.train], len(dataset.dates)
    for each, own in zip(pooled, labels[1:], strict=True):
        if each.features != dataset.features:
            raise InputError(f"pooled datasets must have the same features, got others for {each.ticker}; one tier")
        train_rows.append(start + training_rows(each.dates, own, split, horizon=horizon, first_row=first_row))
        start += len(each.dates)
    sealed = [
        seal_labels(own, each.dates, split, horizon=horizon, opening=opening)
        for each, own in zip(pool, labels, strict=True)
    ]
    y_host_D = np.concatenate(sealed).astype(np.float32)
    x_DF = torch.tensor(np.concatenate([each.feature_matrix for each in pool]), device=device)
    return Windows(
        x_DF=x_DF,
        x_NTF=_view(x_DF, context_length),
        y_D=torch.from_numpy(y_host_D).to(device),
        y_host_D=y_host_D,
        dates_D=np.concatenate([each.dates.to_numpy() for each in pool]),
        rows=rows,
        train_rows=np.concatenate(train_rows),
        context_length=context_length,
        sealed_from=None if opening else sealed_from(dataset.dates, split, horizon).to_datetime64(),
        horizons=tuple(horizons),
        reach_DH=_reach(pool, target, split, horizons, opening, device) if horizons else None,
    )


def _view(x_DF: Tensor, context_length: int) -> Tensor:
    """Windows of shape (windows, context_length, features), without a copy."""
    return x_DF.unfold(0, context_length, 1).transpose(1, 2)


def _reach(
    pool: Sequence[DatasetVersion],
    target: Target,
    split: Split,
    horizons: Sequence[int],
    opening: HoldoutOpening | None,
    device: str | torch.device,
) -> Tensor:
    def column(horizon: int) -> npt.NDArray[np.float64]:
        own = replace(target, horizon=horizon)
        return np.concatenate(
            [seal_labels(own.reach(each.frame), each.dates, split, horizon=horizon, opening=opening) for each in pool]
        )

    reach_DH = np.stack([column(horizon) for horizon in horizons], axis=1)
    return torch.tensor(reach_DH.astype(np.float32), device=device)


def to_tensor(rows: Index, device: str | torch.device) -> Tensor:
    """Row numbers as an index tensor."""
    return torch.from_numpy(np.ascontiguousarray(rows)).to(device)
