from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from model.network.checkpoint import METADATA_KEY, checkpoint_spec, load_checkpoint, save_checkpoint
from model.network.patchtst import PatchTST
from model.spec.spec import Spec
from model.training.trainer import Trainer, build_model, predict_rows
from model.windows import Windows
from pipeline.exceptions import RecordError, StoreError


@pytest.fixture(scope="module")
def trained(spec: Spec, windows: Windows) -> PatchTST:
    model = build_model(spec, windows)
    for _ in Trainer(spec, windows, model).epochs():
        pass
    return model


@pytest.fixture
def path(tmp_path: Path, spec: Spec, trained: PatchTST) -> Path:
    path = tmp_path / "best.safetensors"
    save_checkpoint(path, spec, trained)
    return path


def _rewrite(path: Path, metadata: dict[str, str] | None, drop: str = "") -> None:
    with safe_open(path, framework="pt") as file:
        state = {name: file.get_tensor(name) for name in file.keys() if name != drop}
    save_file(state, path, metadata=metadata)


def _store_error(path: Path) -> str:
    with pytest.raises(StoreError) as caught:
        load_checkpoint(path)
    message = str(caught.value)
    with pytest.raises(StoreError, match=re.escape(message)) if "weights of its spec" not in message else nullcontext():
        checkpoint_spec(path)
    assert "\n" not in message and str(path) in message
    return message


@pytest.mark.slow
@pytest.mark.lesson("L8")
def test_loading_gives_the_spec_and_bit_equal_predictions(
    path: Path, spec: Spec, trained: PatchTST, windows: Windows
) -> None:
    found, model = load_checkpoint(path)
    assert found == spec == checkpoint_spec(path) and found.hash == spec.hash
    assert not model.training
    rows = windows.rows.validation
    assert np.array_equal(predict_rows(model, windows, rows), predict_rows(trained, windows, rows))
    for name, tensor in trained.state_dict().items():
        assert torch.equal(model.state_dict()[name], tensor), name


@pytest.mark.lesson("L8")
@pytest.mark.parametrize("n_heads", [1, 2, 4, 8])
def test_the_head_count_comes_from_the_file(
    tmp_path: Path, spec: Spec, change: Callable[..., Spec], windows: Windows, n_heads: int
) -> None:
    written = change(spec, n_heads=n_heads)
    model = build_model(written, windows)
    with torch.no_grad():
        model.blocks[0].query_key_value.weight.mul_(30)  # type: ignore[union-attr, operator]
    save_checkpoint(tmp_path / "heads.safetensors", written, model)
    found, loaded = load_checkpoint(tmp_path / "heads.safetensors")
    rows = windows.rows.validation
    assert found.architecture.n_heads == n_heads == loaded.blocks[0].n_heads
    assert np.array_equal(predict_rows(loaded, windows, rows), predict_rows(model, windows, rows))


@pytest.mark.lesson("L8")
def test_a_head_count_edited_in_the_file_is_found(path: Path, spec: Spec) -> None:
    _rewrite(path, {METADATA_KEY: json.dumps({**spec.params(), "n_heads": "4"})})
    with pytest.raises(RecordError, match="must be that of its spec"):
        load_checkpoint(path)


@pytest.mark.lesson("L8")
def test_a_field_missing_in_the_file_is_named(path: Path, spec: Spec) -> None:
    _rewrite(path, {METADATA_KEY: json.dumps({k: v for k, v in spec.params().items() if k != "n_heads"})})
    with pytest.raises(RecordError, match="missing n_heads"):
        load_checkpoint(path)


@pytest.mark.lesson("L8")
@pytest.mark.parametrize("metadata", [None, {"format": "pt"}])
def test_a_file_without_a_spec_is_refused(path: Path, metadata: dict[str, str] | None) -> None:
    _rewrite(path, metadata)
    assert "must carry its spec, got none" in _store_error(path)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "3"])
def test_a_spec_that_is_no_object_is_refused(path: Path, text: str) -> None:
    _rewrite(path, {METADATA_KEY: text})
    assert "must carry its spec as" in _store_error(path)


@pytest.mark.lesson("L8")
def test_weights_of_another_architecture_are_refused(path: Path, spec: Spec, change: Callable[..., Spec]) -> None:
    deeper = change(spec, d_ff=17)
    _rewrite(path, {METADATA_KEY: json.dumps(deeper.params())})
    assert "must hold the weights of its spec, d8-L1-h2-ff17" in _store_error(path)


@pytest.mark.parametrize("drop", ["positions", "feature_mean", "head.weight"])
def test_a_missing_tensor_is_refused(path: Path, spec: Spec, drop: str) -> None:
    _rewrite(path, {METADATA_KEY: json.dumps(spec.params())}, drop=drop)
    assert "must hold the weights of its spec" in _store_error(path)


@pytest.mark.parametrize("keep", [0, 4, 100, -1])
def test_a_truncated_file_is_refused(path: Path, keep: int) -> None:
    path.write_bytes(path.read_bytes()[:keep])
    assert "can't be read" in _store_error(path)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    assert "can't be read" in _store_error(tmp_path / "absent.safetensors")
    assert "can't be read" in _store_error(tmp_path)
    (tmp_path / "text").write_text("not a checkpoint, but long enough to look like a header of something")
    assert "can't be read" in _store_error(tmp_path / "text")


def test_saving_twice_replaces_and_leaves_nothing_behind(path: Path, spec: Spec, trained: PatchTST) -> None:
    other = replace(spec, seed=7)
    save_checkpoint(path, other, trained)
    assert load_checkpoint(path)[0] == other
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_a_failed_save_leaves_the_old_file(
    path: Path, spec: Spec, trained: PatchTST, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("model.network.checkpoint.save_file", fail)
    with pytest.raises(OSError, match="disk full"):
        save_checkpoint(path, replace(spec, seed=7), trained)
    assert load_checkpoint(path)[0] == spec
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_a_loaded_model_shares_nothing_with_the_file(path: Path, spec: Spec, trained: PatchTST) -> None:
    _, model = load_checkpoint(path)
    content = path.read_bytes()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    assert path.read_bytes() == content
    assert any(bool(p.any()) for p in trained.parameters())
