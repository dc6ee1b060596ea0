from __future__ import annotations

import json
from dataclasses import replace

import pandas as pd
import pyarrow.parquet as pq
import pytest

from pipeline.datasets.build import build_dataset
from pipeline.datasets.dataset import METADATA_KEY, load_dataset
from pipeline.exceptions import DataError


@pytest.fixture
def built(tmp_path, save, bars, vix):
    return build_dataset(tmp_path, save(bars), "r33", auxiliary=[save(vix, "^VIX")])


def test_it_comes_back_as_it_was_built(tmp_path, built):
    loaded = load_dataset(tmp_path, built.digest)
    pd.testing.assert_frame_equal(loaded.frame, built.frame, check_freq=False)
    assert replace(loaded, frame=built.frame) == replace(built, frame=built.frame)


@pytest.mark.lesson("L17")
@pytest.mark.parametrize("change", ["order", "name", "missing"])
def test_the_feature_list_is_checked_on_load(tmp_path, built, change):
    path = built.path(tmp_path)
    table = pq.read_table(path)
    names = list(table.column_names)
    first = names.index(built.features[0])
    if change == "order":
        names[first], names[first + 1] = names[first + 1], names[first]
        table = table.select(names).replace_schema_metadata(table.schema.metadata)
    elif change == "name":
        names[first] = "another"
        table = table.rename_columns(names)
    else:
        table = table.drop_columns([names[first]])
    pq.write_table(table, path)
    with pytest.raises(DataError):
        load_dataset(tmp_path, built.digest)


@pytest.mark.lesson("L17")
def test_a_feature_list_that_was_edited_is_refused(tmp_path, built):
    path = built.path(tmp_path)
    table = pq.read_table(path)
    declared = json.loads(table.schema.metadata[METADATA_KEY])
    declared["features"] = [*declared["features"][1:], declared["features"][0]]
    metadata = {**table.schema.metadata, METADATA_KEY: json.dumps(declared).encode()}
    pq.write_table(table.replace_schema_metadata(metadata), path)
    with pytest.raises(DataError, match="must hold the features it lists"):
        load_dataset(tmp_path, built.digest)


def test_a_changed_value_is_refused(tmp_path, built):
    path = built.path(tmp_path)
    table = pq.read_table(path)
    frame = table.to_pandas()
    frame.iloc[3, 10] += 1e-9
    pq.write_table(type(table).from_pandas(frame).replace_schema_metadata(table.schema.metadata), path)
    with pytest.raises(DataError, match="was changed since it was written"):
        load_dataset(tmp_path, built.digest)


@pytest.mark.parametrize("damage", [b"", b"PAR1 broken"])
def test_an_unreadable_file_is_refused(tmp_path, built, damage):
    built.path(tmp_path).write_bytes(damage)
    with pytest.raises(DataError, match="can't be read"):
        load_dataset(tmp_path, built.digest)


def test_an_unknown_version_is_named(tmp_path):
    with pytest.raises(DataError, match="dataset version abc is not in"):
        load_dataset(tmp_path, "abc")
