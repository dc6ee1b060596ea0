"""Windows: views of one resident tensor, gathered by row number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pipeline.dataset import DatasetVersion
from pipeline.splits import Index, Split, SplitRows, split_rows
from pipeline.target import Target


@dataclass(frozen=True, kw_only=True, slots=True)
class Windows:
    """What a trial trains and validates on.

    Parameters
    ----------
    x_NTF : Tensor of shape (windows, context_length, features)
        A view of the features: window i ends on row ``i + context_length - 1``.
    y_D : Tensor of shape (days,)
        Labels by row, NaN where there is none.
    y_host_D : ndarray of shape (days,)
        The same on the host.
    rows : SplitRows
        Forecast rows of each part.
    context_length : int
        Days in a window.
    """

    x_NTF: Tensor
    y_D: Tensor
    y_host_D: npt.NDArray[np.float32]
    rows: SplitRows
    context_length: int

    def batch(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Features (rows, days, features) and labels (rows,) of these forecast rows."""
        return self.x_NTF[rows - (self.context_length - 1)], self.y_D[rows]

    def outcomes(self, rows: Index) -> npt.NDArray[np.float64]:
        """Outcomes of these forecast rows on the host, shape (rows,), without asking the device."""
        return self.y_host_D[rows].astype(np.float64)

    def training_days(self) -> Tensor:
        """Features of every day that a training window sees, shape (days, features)."""
        first, last = int(self.rows.train[0]), int(self.rows.train[-1])
        start = first - (self.context_length - 1)
        return torch.cat([self.x_NTF[start][:-1], self.x_NTF[start : last + 1 - (self.context_length - 1), -1]])


def make_windows(
    dataset: DatasetVersion, target: Target, split: Split, context_length: int, device: str | torch.device = "cpu"
) -> Windows:
    """Label, split and view a dataset version.

    Raises
    ------
    InputError
        If the split leaves too little to train or to validate on.
    """
    labels = target.labels(dataset.frame)
    rows = split_rows(dataset.dates, labels, split, horizon=target.horizon, first_row=context_length - 1)
    y_host_D = labels.astype(np.float32)
    features = torch.tensor(dataset.feature_matrix, device=device)
    return Windows(
        x_NTF=features.unfold(0, context_length, 1).transpose(1, 2),
        y_D=torch.from_numpy(y_host_D).to(device),
        y_host_D=y_host_D,
        rows=rows,
        context_length=context_length,
    )


def to_tensor(rows: Index, device: str | torch.device) -> Tensor:
    """Row numbers as an index tensor."""
    return torch.from_numpy(np.ascontiguousarray(rows)).to(device)
