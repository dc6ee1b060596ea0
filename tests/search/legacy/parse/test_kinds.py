import json

import pytest

from pipeline.exceptions import InputError, StoreError
from search.legacy.parse.kinds import find_kind, open_foreign


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("x.csv", "experiment,val_loss\n", None),
        ("x.csv", "timestamp,experiment,State,val_loss\n", None),
        ("x.csv", "number,value,state\n", "table"),
        ("x.csv", "a,b\n", None),
        ("x.csv", "run;val_loss\n", "table"),
        ("x.tsv", "trial\td_model\n", "table"),
        ("x.json", json.dumps([{"config": {"lr": 1}, "val_loss": 0.3}]), "table"),
        ("x.json", json.dumps([{"params": {"lr": 1}, "config": {"a": 1}}]), None),
        ("x.json", json.dumps([{"number": 0}]), None),
        ("x.json", json.dumps({"number": 0}, indent=1), None),
        ("x.json", '{"a": 1}\n{"a": 2}\n', "table"),
        ("x.json", '{"val_loss": 1, "training_iteration": 1}', "table"),
        ("x.jsonl", "{}", "table"),
        ("x.log", "Trial 0 pruned.\n", None),
        ("x.log", '{"op_code":0,"worker_id":"a"}\n', "optuna"),
        ("x.db", "SQLite format 3\0", "optuna"),
    ],
)
def test_a_kind_is_told_by_name_and_beginning(tmp_path, name, text, kind):
    (tmp_path / name).write_text(text)
    assert find_kind(tmp_path / name, mapped=False) == (kind, tmp_path / name)


def test_what_is_said_goes_first_and_a_map_makes_a_table(tmp_path):
    (tmp_path / "x.csv").write_text("a,b\n")
    assert find_kind(tmp_path / "x.csv", "log", mapped=False)[0] == "log"
    assert find_kind(tmp_path / "x.csv", mapped=True)[0] == "table"


def test_what_is_not_there_and_what_is_no_kind(tmp_path):
    assert find_kind(tmp_path / "none.csv", mapped=False)[0] is None
    with pytest.raises(InputError, match="name the files themselves"):
        find_kind(tmp_path, mapped=False)
    with pytest.raises(StoreError, match="No such file"):
        open_foreign(tmp_path / "none.db", "optuna")
