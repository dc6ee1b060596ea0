import json

import pytest

from search.cli import main

TRIALS = [{"number": n, "value": 0.7, "params": {"d_model": 64, "n_layers": n + 1}} for n in range(3)]


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    return ended.value.code, *capsys.readouterr()


@pytest.mark.lesson("L32")
def test_import_and_again_and_status(capsys, home):
    (home / "trials.json").write_text(json.dumps(TRIALS))
    code, out, _ = run(capsys, "import", "trials.json")
    assert code == 0
    assert out.splitlines()[0] == "trials.json (json, 1 lines): 3 trials read, 3 written, 0 already there"
    assert "board: http://" in out
    assert "3 trials read, 0 written, 3 already there" in run(capsys, "import", "trials.json")[1]
    shown = " ".join(run(capsys, "status")[1].split())
    assert "/trials.json" in shown and "imported" in shown and "unknown-horizon" not in shown
    [state] = json.loads(run(capsys, "status", "--json")[1])
    assert (state["imported"], state["n_heads_unknown"], state["best_loss"]) == (3, 3, None)
    assert state["issues"] == ["3 imported trials", "n_heads unknown in 3 imported trials"]


def test_an_imported_study_is_audited_by_the_name_that_status_shows(capsys, home):
    (home / "trials.json").write_text(json.dumps(TRIALS))
    run(capsys, "import", "trials.json")
    name = f"{home.name}/trials.json"
    code, out, _ = run(capsys, "audit", name)
    assert code == 0 and "3 of 3 trials finished" in out and "n_heads     unknown" in out
    found = json.loads(run(capsys, "audit", name, "--json")[1])
    assert (found["trials"], found["values"]["n_layers"], found["target"]) == (3, {"1": 1, "2": 1, "3": 1}, None)
    code, _, err = run(capsys, "audit", "nobody's")
    assert code == 2 and err.count("\n") == 1


def test_tables_of_others_need_names_and_refuse_wrong_ones(capsys, home):
    (home / "runs.csv").write_text("heads,score\n8,0.7\n4,0.6\n")
    assert run(capsys, "import", "runs.csv", "--map", "n_heads=heads", "--objective", "maximize")[0] == 0
    [state] = json.loads(run(capsys, "status", "--json")[1])
    assert (state["imported"], state["n_heads_unknown"], state["best_loss"]) == (2, 0, None)
    for words, *arguments in (
        ("nearest: heads", "--map", "n_heads=head"),
        ("must be OURS=THEIRS with OURS one of", "--map", "heads=heads"),
        ("must give each field once", "--map", "n_heads=heads", "--map", "n_heads=score"),
    ):
        code, out, err = run(capsys, "import", "runs.csv", *arguments)
        assert (code, out, err.count("\n")) == (2, "", 1) and words in err


def test_the_kind_can_be_said(capsys, home):
    (home / "trials.backup").write_text(json.dumps(TRIALS))
    assert run(capsys, "import", "trials.backup", "--kind", "json")[0] == 0


@pytest.mark.lesson("L34")
@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("x.json", b'[{"number": 0', "half-written"),
        ("x.csv", b"experiment,val_loss\ns,0.1\ns\n", "got 1 in x.csv line 3"),
        ("x.log", b"nothing here\n", "got none in x.log"),
        ("x.log", b"\0\1\2", "NUL byte"),
        ("x.bin", b"", "say it with --kind"),
        ("none.log", None, "No such file"),
    ],
)
def test_hostile_input_is_one_line_exit_2_and_leaves_nothing(capsys, tmp_path, monkeypatch, name, data, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.json").write_text(json.dumps(TRIALS))
    if data is not None:
        (tmp_path / name).write_bytes(data)
    code, out, err = run(capsys, "import", "good.json", name)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert words in err
    assert {path.name for path in tmp_path.iterdir()} <= {"good.json", name}
