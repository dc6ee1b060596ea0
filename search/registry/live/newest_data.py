"""The newest bars that a registered model can be asked about."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import NamedTuple

from model.spec.spec import Data
from pipeline.calendars import calendar_of
from pipeline.datasets.build import build_dataset
from pipeline.datasets.dataset import DatasetVersion, dataset_path, load_dataset
from pipeline.exceptions import DataError, InputError
from pipeline.snapshots.pull import pull
from pipeline.snapshots.snapshot import Snapshot, latest_snapshots, list_snapshots, origin_of
from pipeline.sources import open_source
from pipeline.tiers import auxiliary_tickers
from pipeline.trading_days import overdue_days


class Newest(NamedTuple):
    """A dataset version of the newest bars, and why they are not the newest there are; nothing if they are."""

    dataset: DatasetVersion
    remarks: tuple[str, ...]


def newest_dataset(
    root: Path, data: Data, *, source: str = "", offline: bool = False, today: date | None = None
) -> Newest:
    """Pull the model's tickers from its own source and build; where that fails, take what is stored and say so.

    Parameters
    ----------
    root : Path
        Data directory.
    data : Data
        Of the model's spec.
    source : str
        Another source, as on the command line; empty is the model's own.
    offline : bool
        Do not ask the source.
    today : date, optional
        Sessions before it should be there; now if not given.

    Raises
    ------
    InputError
        If a source was named that there is none of.
    DataError
        If not even the model's own dataset version is stored.
    """
    tickers = (data.ticker, *auxiliary_tickers(data.tier))
    stored = latest_snapshots(root, data.source)
    remarks: list[str] = []
    if offline:
        remarks.append("not refreshed, as asked (--offline)")
    else:
        try:
            asked = open_source(source or _origin(root, data))
            stored |= {ticker: pull(root, asked, ticker)[0] for ticker in tickers}  # all or none: days go together
        except InputError as error:
            if source and not isinstance(error, DataError):
                raise
            remarks.append(f"not refreshed: {error}")
    try:
        dataset = _build(root, data, [stored[ticker] for ticker in tickers if ticker in stored])
    except DataError as error:
        remarks.append(f"the newest bars were refused ({error}); these are the ones that the model was registered with")
        dataset = load_dataset(root, data.dataset)
    return Newest(dataset=dataset, remarks=(*remarks, *_staleness(dataset, today or datetime.now(UTC).date())))


def _origin(root: Path, data: Data) -> str:
    """Source that the model's own snapshot came from, as it is typed; its name where the record holds no more."""
    own = dict(entry.rpartition("=")[::2] for entry in data.snapshots.split(","))[data.ticker]
    found = [each for each in list_snapshots(root) if (each.digest, each.source) == (own, data.source)]
    return origin_of(root, found[0]) if found else data.source


def _build(root: Path, data: Data, snapshots: list[Snapshot]) -> DatasetVersion:
    if not snapshots or snapshots[0].ticker != data.ticker:
        raise DataError(f"no snapshot of {data.ticker} from source {data.source} under {root}")
    accepted = load_dataset(root, data.dataset).accepted if dataset_path(root, data.dataset).exists() else ()
    return build_dataset(root, snapshots[0], data.tier, auxiliary=snapshots[1:], accepted=accepted)


def _staleness(dataset: DatasetVersion, today: date) -> list[str]:
    """Name the sessions of the exchange before today that the bars lack."""
    calendar, last = calendar_of(dataset.ticker), dataset.dates[-1]
    missing = overdue_days(dataset.dates, calendar, today)
    if not len(missing):
        return []
    whose = "the exchange has had" if calendar else "by its own weekdays there were"
    return [
        f"data are stale: the newest session here is {last.date()}, {whose} {len(missing):,} since, "
        f"the last on {missing[-1].date()}; this is no forecast from there"
    ]
