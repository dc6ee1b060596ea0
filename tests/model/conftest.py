"""Fixtures of the model tests: one real dataset version and one tiny spec on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from datetime import date
from functools import cache
from typing import Any

import pytest
import torch

from model.network import patchtst
from model.network.patchtst import PatchTST
from model.spec.architecture import Architecture
from model.spec.spec import Data, Spec, Training
from model.windows import Windows, make_windows
from pipeline.datasets.build import build_dataset
from pipeline.datasets.dataset import DatasetVersion
from pipeline.snapshots.snapshot import save_snapshot
from pipeline.sources import open_source
from pipeline.splits.splits import Split
from pipeline.splits.target import Target


def instantiated_parameters(architecture: Architecture) -> int:
    """Parameter count of the model itself, on the meta device without memory; equal blocks are built once, not each."""
    with torch.device("meta"), pytest.MonkeyPatch.context() as patch:
        patch.setattr(patchtst, "Block", cache(patchtst.Block))
        model = PatchTST(architecture)
    return sum(parameter.numel() for _, parameter in model.named_parameters(remove_duplicate=False))


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> DatasetVersion:
    root = tmp_path_factory.mktemp("data")
    source = open_source("sample")
    return build_dataset(root, save_snapshot(root, source.name, source.fetch(source.default_ticker)), "r25")


@pytest.fixture(scope="session")
def other(tmp_path_factory: pytest.TempPathFactory) -> DatasetVersion:
    """Dataset version of a second ticker, to be trained on beside the first."""
    root = tmp_path_factory.mktemp("data")
    source = open_source("sample")
    return build_dataset(root, save_snapshot(root, source.name, source.fetch("^IXIC")), "r25")


@pytest.fixture(scope="session")
def spec(dataset: DatasetVersion) -> Spec:
    return Spec(
        data=Data(
            dataset=dataset.digest,
            snapshots=",".join(f"{ticker}={digest}" for ticker, digest in dataset.snapshots.items()),
            ticker=dataset.ticker,
            source=dataset.source,
            tier=dataset.tier,
        ),
        target=Target(horizon=1),
        split=Split(
            train_start=date(2010, 1, 1),
            train_end=date(2012, 12, 31),
            validation_start=date(2013, 1, 1),
            validation_end=date(2013, 12, 31),
            test_start=date(2014, 1, 1),
            test_end=date(2014, 12, 31),
        ),
        architecture=Architecture(n_features=len(dataset.features), d_model=8, n_layers=1, n_heads=2, d_ff=16),
        training=Training(learning_rate=1e-2, max_epochs=2),
        budget="3K",
    )


@pytest.fixture(scope="session")
def wide_dataset(tmp_path_factory: pytest.TempPathFactory) -> DatasetVersion:
    """Dataset version of a tier of two parts."""
    root = tmp_path_factory.mktemp("data")
    source = open_source("sample")
    return build_dataset(root, save_snapshot(root, source.name, source.fetch(source.default_ticker)), "s33")


@pytest.fixture(scope="session")
def wide(spec: Spec, change: Callable[..., Spec], wide_dataset: DatasetVersion) -> Spec:
    """A tiny spec of a distribution."""
    return change(
        spec,
        dataset=wide_dataset.digest,
        tier="s33",
        n_features=6,
        n_static=27,
        context_length=30,
        patch_length=10,
        stride=10,
        head="distribution",
        horizons="1 2 3 5",
        budget="2.9K",
    )


@pytest.fixture(scope="session")
def wide_windows(wide: Spec, windows_of: Callable[..., Windows], wide_dataset: DatasetVersion) -> Windows:
    return windows_of(wide, wide_dataset)


def _changed(tree: Any, leaves: dict[str, Any]) -> Any:
    """Copy of a dataclass tree with leaves changed, wherever in the tree they are; what is found is taken out."""
    new = {}
    for field in fields(tree):
        child = getattr(tree, field.name)
        if is_dataclass(child):
            new[field.name] = _changed(child, leaves)
        elif field.name in leaves:
            new[field.name] = leaves.pop(field.name)
    return replace(tree, **new)


@pytest.fixture(scope="session")
def change() -> Callable[..., Spec]:
    """``change(spec, n_heads=4, dropout=0.0)``: a copy with these leaves changed."""

    def change(spec: Spec, **leaves: Any) -> Spec:
        changed: Spec = _changed(spec, left := dict(leaves))
        assert not left, f"no field {', '.join(left)}"
        return changed

    return change


@pytest.fixture(scope="session")
def windows_of(dataset: DatasetVersion) -> Callable[..., Windows]:
    """``windows_of(spec)``: its windows on the dataset; ``windows_of(spec, other)``: on another."""

    def windows_of(spec: Spec, data: DatasetVersion = dataset) -> Windows:
        return make_windows(
            data, spec.target, spec.split, spec.architecture.context_length, horizons=spec.architecture.ahead
        )

    return windows_of


@pytest.fixture(scope="session")
def windows(spec: Spec, windows_of: Callable[..., Windows]) -> Windows:
    return windows_of(spec)
