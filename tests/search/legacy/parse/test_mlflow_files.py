import hashlib
import os

import pytest

from pipeline.exceptions import InputError
from search.legacy.parse.mlflow_files import ALLOWED, is_file_store, store_digest
from search.legacy.record.importer import parse_files


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def old_store(tmp_path):
    """What MLflow 1.x left: an experiment of a finished and a deleted run."""
    root, run = tmp_path / "mlruns", "0123456789abcdef0123456789abcdef"
    write(
        root / "1" / "meta.yaml",
        "artifact_location: file:///gone/1\nexperiment_id: '1'\nlifecycle_stage: active\nname: spy transformers\n",
    )
    for name, stage in ((run, "active"), (run[::-1], "deleted")):
        folder = root / "1" / name
        write(
            folder / "meta.yaml",
            f"artifact_uri: file:///gone/{name}\nend_time: 1700000060000\nentry_point_name: ''\n"
            f"experiment_id: '1'\nlifecycle_stage: {stage}\nname: ''\nrun_id: {name}\nrun_uuid: {name}\n"
            "source_name: ''\n"
            "source_type: 4\nsource_version: ''\nstart_time: 1700000000000\nstatus: 3\ntags: []\nuser_id: me\n",
        )
        write(folder / "params" / "n_heads", "8")
        write(folder / "params" / "activation", "gelu")
        write(folder / "metrics" / "val_loss", "1700000010000 0.5 0\n1700000020000 0.4 1\n")
        write(folder / "metrics" / "val_auc", "1700000020000 0.7 1\n")
        write(folder / "tags" / "mlflow.runName", "first try")
        write(folder / "tags" / "mlflow.user", "me")
        write(folder / "tags" / "note", "kept")
    return root


def content(root):
    return {
        str(each.relative_to(root)): hashlib.sha256(each.read_bytes()).hexdigest() if each.is_file() else ""
        for each in root.rglob("*")
    }


def test_a_run_is_read_through_mlflow_and_its_store_is_left_alone(old_store):
    before = content(old_store)
    [(source, report)] = parse_files([old_store])
    assert content(old_store) == before and ALLOWED not in os.environ
    [trial] = report.trials
    assert (source.kind, trial.study, trial.notes["name"]) == ("mlflow", "spy transformers", "first try")
    assert (trial.architecture.n_heads, trial.settings) == (8, {"activation": "gelu"})
    assert (trial.outcome.status, trial.outcome.objective, trial.outcome.value) == ("FINISHED", "loss", 0.4)
    assert (trial.curves, trial.figures["best/roc_auc"]) == ({"val/loss": {0: 0.5, 1: 0.4}}, 0.7)
    assert (trial.started, trial.ended, trial.notes["attr.note"]) == (1700000000000, 1700000060000, "kept")
    assert dict(report.homeless) == {"mlflow.user": 1}


def test_one_experiment_of_a_store_is_read_alone_and_a_moved_store_is_the_same(old_store, tmp_path):
    [whole] = parse_files([old_store])[0][1].trials
    moved = old_store.rename(tmp_path / "elsewhere")
    [alone] = parse_files([moved / "1"])[0][1].trials
    assert alone.fingerprint == whole.fingerprint
    assert is_file_store(moved) and store_digest(moved) == store_digest(moved)


def test_a_damaged_store_and_another_folder_are_refused_in_one_line(old_store, tmp_path):
    next(old_store.glob("1/*/metrics/val_loss")).write_text("no numbers\n")
    for path, words in ((old_store, "take a whole copy of it"), (tmp_path / "none", "must be a file store of MLflow")):
        path.mkdir(exist_ok=True)
        with pytest.raises(InputError, match=words) as refused:
            parse_files([path])
        assert "\n" not in str(refused.value)
