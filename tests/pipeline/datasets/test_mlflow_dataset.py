from __future__ import annotations

import json

import numpy as np
import pytest

from pipeline.datasets.build import build_dataset
from pipeline.datasets.dataset import load_dataset
from pipeline.datasets.mlflow_dataset import MarketDataset, ParquetSource
from pipeline.splits.splits import SplitRows
from pipeline.splits.target import Target


@pytest.fixture
def version(tmp_path, save, bars, vix):
    return build_dataset(tmp_path, save(bars), "r33", auxiliary=[save(vix, "^VIX")])


@pytest.fixture
def rows() -> SplitRows:
    return SplitRows(train=np.arange(300), validation=np.arange(310, 400), test=np.arange(410, 490))


@pytest.fixture
def entity(tmp_path, version, rows) -> MarketDataset:
    labels = Target(horizon=1).labels(version.frame)
    return MarketDataset(version, tmp_path, rows.train, labels, parts=rows.parts)


def test_the_digest_is_that_of_the_full_content(entity, version):
    assert entity.digest == version.digest
    assert entity.name == "SPY-r33-all"


def test_the_source_leads_to_the_data(entity, version, tmp_path):
    assert entity.source.load() == str(version.path(tmp_path))
    assert load_dataset(tmp_path, entity.digest).digest == entity.digest


def test_the_profile_says_what_went_in(entity, version, rows):
    profile = entity.profile
    assert profile["tickers"] == ["SPY", "^VIX"]
    assert profile["snapshots"] == version.snapshots
    assert profile["features"] == list(version.features) and profile["num_features"] == 33
    assert (profile["num_rows"], profile["first_date"]) == (300, str(version.dates[0].date()))
    labels = Target(horizon=1).labels(version.frame)
    for name, index in rows.parts.items():
        part = profile["splits"][name]
        assert part["num_rows"] == len(index)
        assert part["base_rate"] == pytest.approx(labels[index].mean(), abs=1e-6)


def test_without_parts_the_profile_is_of_its_own_rows(tmp_path, version, rows):
    labels = Target(horizon=1).labels(version.frame)
    assert "splits" not in MarketDataset(version, tmp_path, rows.train, labels).profile


def test_the_description_is_strings_of_json(entity):
    described = entity.to_dict()
    assert all(isinstance(value, str) for value in described.values())
    assert json.loads(described["profile"])["tier"] == "r33"
    assert len(json.loads(described["schema"])["mlflow_colspec"]) == 33


def test_a_source_is_its_path():
    source = ParquetSource("data/datasets/x.parquet")
    assert ParquetSource.from_dict(source.to_dict()).uri == source.uri
    assert ParquetSource._resolve("x.parquet").uri == "x.parquet"
    assert ParquetSource._can_resolve("x.parquet") and not ParquetSource._can_resolve("x.csv")


@pytest.mark.slow
def test_a_run_is_found_by_its_digest(tmp_path, entity):
    import mlflow

    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{tmp_path}/mlflow.db")
    experiment = client.create_experiment("data", artifact_location=str(tmp_path / "artifacts"))
    found, _ = client.create_run(experiment), client.create_run(experiment)
    from mlflow.entities import DatasetInput, InputTag

    for context in ("train", "validation", "test"):
        tags = [InputTag("mlflow.data.context", context)]
        client.log_inputs(found.info.run_id, [DatasetInput(entity._to_mlflow_entity(), tags)])
    runs = client.search_runs([experiment], f"dataset.digest = '{entity.digest}'")
    assert [run.info.run_id for run in runs] == [found.info.run_id]
    assert json.loads(runs[0].inputs.dataset_inputs[0].dataset.profile)["splits"]["test"]["num_rows"] == 80
