"""The predictive distributions of a trial's validation days as a table: written by the trial, read by the report.

They are the model's own: where the trial blends its probability with a baseline's, they are from before the blend.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch

from model.network.crps import reach_crps, sample_crps
from model.network.distribution import N_COMPONENTS, Mixture
from model.network.patchtst import PatchTST
from model.network.reach import Reach
from model.training.objective import training_reach
from model.training.trainer import EVALUATION_BATCH
from model.windows import Windows, to_tensor
from search.trial.remarks import CLIMATOLOGY_METRIC, CRPS_METRIC

if TYPE_CHECKING:
    import numpy.typing as npt

    from pipeline.datasets.dataset import DatasetVersion

PARTS = ("log_weight", "location", "scale")
CRPS, CLIMATOLOGY = "crps", "crps_climatology"


def distribution_table(
    model: PatchTST, windows: Windows, dataset: DatasetVersion, rows: npt.NDArray[np.int64]
) -> pd.DataFrame:
    """Tabulate what a trained model of a distribution says of these forecast rows.

    Returns
    -------
    DataFrame
        A row a day and horizon: date, horizon, close, ``log_sigma`` (of a day), ``reach`` (log of the highest price
        that counts over the close; NaN where it is not known or is sealed), ``crps`` and ``crps_climatology`` (in
        percent of the close), and log weight, location and scale of each component, in sigma of the horizon.  The
        climatology is what the training rows reached, in sigma, taken in the day's sigma: it knows how volatile the
        market is and nothing else.
    """
    windows.require_unsealed(rows)
    assert windows.reach_DH is not None
    mixture, log_sigma_B = _mixture(model, windows, rows)
    reach_BH = windows.reach_DH[to_tensor(rows, windows.reach_DH.device)].cpu().double()
    past_DH = training_reach(model, windows)[0].cpu().double().numpy()
    close_B = dataset.frame["close"].to_numpy(dtype=np.float64)[rows]
    parts = []
    for column, horizon in enumerate(model.architecture.ahead):
        reach, came_B = Reach.of(mixture, model.architecture.ahead, log_sigma_B, horizon), reach_BH[:, column]
        past_D = past_DH[:, column]
        unit_B = reach.unit_BH[:, -1].numpy()
        known = {"date": dataset.dates[rows], "horizon": horizon, "close": close_B, "log_sigma": log_sigma_B.numpy()}
        scores = {
            CRPS: reach_crps(reach, came_B).numpy(),
            CLIMATOLOGY: sample_crps(past_D[np.isfinite(past_D)], unit_B, came_B.numpy()),
        }
        parts.append(pd.DataFrame({**known, "reach": came_B.numpy(), **scores, **_columns(mixture, column)}))
    return pd.concat(parts, ignore_index=True)


def join_distributions(folds: Sequence[Sequence[pd.DataFrame]]) -> pd.DataFrame:
    """Put the tables of several folds together, in a fold those of its seeds as one mixture of all their components.

    Parameters
    ----------
    folds : sequence of sequence of DataFrame
        By fold, by seed: see :func:`distribution_table`.
    """
    joined = [seeds[0] if len(seeds) == 1 else _one_mixture(seeds) for seeds in folds]
    if len(joined) == 1:
        return joined[0]
    whole = pd.concat(joined, ignore_index=True)
    order = {horizon: number for number, horizon in enumerate(whole["horizon"].unique())}
    return whole.iloc[np.argsort(whole["horizon"].map(order).to_numpy(), kind="stable")].reset_index(drop=True)


def _one_mixture(seeds: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Average models: the components of all of them, each model with the same share; scored as that."""
    share, columns = np.float32(np.log(len(seeds))), dict[str, Any]()
    for part in PARTS:
        parts = [table[f"{part}_{k}"].to_numpy() for table in seeds for k in range(_n_components(table))]
        less = share if part == PARTS[0] else np.float32(0)
        columns |= {f"{part}_{k}": values - less for k, values in enumerate(parts)}
    names = [name for name in seeds[0] if not name.startswith(PARTS)]
    table = pd.concat([seeds[0][names], pd.DataFrame(columns)], axis=1)
    for horizon in table["horizon"].unique():
        asked = table["horizon"] == horizon
        came_B = torch.tensor(table.loc[asked, "reach"].to_numpy())
        table.loc[asked, CRPS] = reach_crps(read_reach(table, int(horizon)), came_B).numpy()
    return table


def _n_components(table: pd.DataFrame) -> int:
    return sum(name.startswith(f"{PARTS[0]}_") for name in table)


def read_reach(table: pd.DataFrame, horizon: int) -> Reach:
    """Give back the distributions of a horizon, one a day in the table's order of days."""
    ahead = tuple(int(each) for each in table["horizon"].unique())
    parts = {horizon: table[table["horizon"] == horizon] for horizon in ahead}
    log_sigma_B = torch.tensor(parts[horizon]["log_sigma"].to_numpy(dtype=np.float64))

    def held(name: str) -> torch.Tensor:
        columns = [f"{name}_{k}" for k in range(_n_components(table))]
        stacked = np.stack([part[columns].to_numpy(dtype=np.float64) for part in parts.values()], axis=1)
        return torch.tensor(stacked)

    mixture = Mixture(log_weight_BHK=held(PARTS[0]), location_BHK=held(PARTS[1]), scale_BHK=held(PARTS[2]))
    return Reach.of(mixture, ahead, log_sigma_B, horizon)


def crps_figures(table: pd.DataFrame, horizon: int) -> dict[str, float]:
    """Mean scores at a horizon as metrics: ``best/crps`` and ``best/crps_climatology``, in percent of the close."""
    asked = table[table["horizon"] == horizon]
    return {CRPS_METRIC: float(asked[CRPS].mean()), CLIMATOLOGY_METRIC: float(asked[CLIMATOLOGY].mean())}


@torch.no_grad()
def _mixture(model: PatchTST, windows: Windows, rows: npt.NDArray[np.int64]) -> tuple[Mixture, torch.Tensor]:
    """Distributions of every horizon, and the log of each day's sigma, on the host."""
    assert model.units is not None
    model.eval()
    found, log_sigma = [], []
    for part in to_tensor(rows, windows.x_NTF.device).split(EVALUATION_BATCH):
        x_BTF = windows.batch(part)[0]
        found.append(model.mixture(x_BTF))
        log_sigma.append(model.units.log_sigma(x_BTF))
    return Mixture(
        log_weight_BHK=torch.cat([each.log_weight_BHK for each in found]).cpu(),
        location_BHK=torch.cat([each.location_BHK for each in found]).cpu(),
        scale_BHK=torch.cat([each.scale_BHK for each in found]).cpu(),
    ), torch.cat(log_sigma).cpu()


def _columns(mixture: Mixture, horizon: int) -> dict[str, npt.NDArray[np.float32]]:
    tensors = (mixture.log_weight_BHK, mixture.location_BHK, mixture.scale_BHK)
    return {
        f"{name}_{k}": tensor[:, horizon, k].numpy()
        for name, tensor in zip(PARTS, tensors, strict=True)
        for k in range(N_COMPONENTS)
    }
