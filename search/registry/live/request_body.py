"""The request that a served version answers: the newest bars of its ticker, with every column that it reads."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import pandas as pd

from pipeline.datasets.raw_bars import DATE, raw_bars
from pipeline.exceptions import InputError
from pipeline.tiers import tier_memory
from search.registry.live.newest_data import newest_dataset
from search.registry.versions.version_spec import context_length_of
from search.registry.versions.versions import find_version, require_tag, version_name
from search.study.study import load_study
from search.tracking.stores import Stores, open_tracking
from search.tracking.tags import STUDY

FORMATS = ("json", "csv")


class RequestBody(NamedTuple):
    """Bars for a version, and what has to be said of them."""

    version: str
    bars: pd.DataFrame
    remarks: tuple[str, ...]

    def text(self, form: str) -> str:
        """Write it as MLflow's scoring server reads it: ``json`` (application/json) or ``csv`` (text/csv)."""
        bars = self.bars.assign(**{DATE: self.bars[DATE].dt.strftime("%Y-%m-%d")})
        if form == "csv":
            return bars.to_csv(index=False)
        split: dict[str, Any] = {"columns": list(bars.columns), "data": bars.to_numpy(dtype=object).tolist()}
        return json.dumps({"dataframe_split": split})


def request_body(
    stores: Stores, text: str, *, ticker: str = "", source: str = "", offline: bool = False, days: int = 1
) -> RequestBody:
    """Collect the sessions that a version needs to forecast the newest ``days`` sessions.

    Parameters
    ----------
    stores : Stores
        Where the record is.
    text : str
        The version, as a user writes it.
    ticker : str
        Whose bars; empty is the version's own, and no other is taken.
    source, offline
        As in :func:`search.registry.live.newest_data.newest_dataset`.
    days : int
        Sessions to be forecast.

    Raises
    ------
    InputError
        If there is no such version, it is of another ticker, or the bars do not reach back far enough.
    """
    client = open_tracking(stores)
    version = find_version(client, text)
    study = load_study(stores, require_tag(version, STUDY), client=client)
    data = study.plan.data
    if ticker not in ("", data.ticker):
        raise InputError(f"{version_name(version)} forecasts {data.ticker}, got --ticker {ticker}; leave it out")
    dataset, remarks = newest_dataset(study.data_root, data, source=source, offline=offline)
    bars = raw_bars(study.data_root, dataset)
    needed = tier_memory(data.tier) + context_length_of(client, version, study.plan) + days - 1
    if len(bars) < needed:
        raise InputError(f"{days} forecasts need {needed} sessions, got {len(bars)}; ask for fewer --days")
    return RequestBody(version=version_name(version), bars=bars.tail(needed).reset_index(drop=True), remarks=remarks)
