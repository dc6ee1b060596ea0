import json

import pytest

from pipeline.exceptions import InputError
from search.legacy.parse.files import parse_files
from search.legacy.recover.column_map import read_map


def test_each_file_is_read_by_the_parser_of_its_kind(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps([{"number": 0, "value": 0.7}]))
    (tmp_path / "b.csv").write_text("number,value,state\n0,0.7,COMPLETE\n")
    kinds = [
        (source.kind, len(report.trials)) for source, report in parse_files([tmp_path / "a.json", tmp_path / "b.csv"])
    ]
    assert kinds == [("json", 1), ("table", 1)]


def test_a_setting_that_has_no_effect_says_so(tmp_path):
    (tmp_path / "a.log").write_text("Trial 0 pruned.\n")
    [(_, report)] = parse_files([tmp_path / "a.log"], objective="minimize", columns=read_map([]))
    assert report.notes == ["--map and --objective say nothing of a log of the earlier study"]


def test_one_broken_file_refuses_all(tmp_path):
    (tmp_path / "a.csv").write_text("number,value,state\n0,0.7,COMPLETE\n")
    (tmp_path / "b.json").write_text("[{")
    with pytest.raises(InputError):
        parse_files([tmp_path / "a.csv", tmp_path / "b.json"])


@pytest.mark.parametrize("depth", [500, 900, 990, 5000, 100_000])
def test_deep_nesting_is_refused_in_words_or_read(tmp_path, depth):
    rows = ('{"val_loss": 0.3, "params.x": ' + "[" * depth + "]" * depth + "}", '{"val_loss": 0.4}')
    for name, text in (("a.jsonl", "\n".join(rows)), ("b.jsonl", f"[{','.join(rows)}]")):
        (tmp_path / name).write_text(text)
        try:
            [(_, report)] = parse_files([tmp_path / name])
        except InputError as error:
            assert "too many levels" in str(error)
        else:
            assert len(report.trials) == 2
