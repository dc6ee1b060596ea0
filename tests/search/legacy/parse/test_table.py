import json
import tracemalloc

import pytest

from pipeline.exceptions import InputError
from search.legacy.parse import spilled, stream, table
from search.legacy.parse.table import is_empty
from search.legacy.record.importer import parse_files
from search.legacy.recover.column_map import read_map

WANDB = (
    '"Name","State","Notes","User","Created","Runtime","Sweep","d_model","n_heads","learning_rate","val_loss","val_auc"\n'
    '"lucky-1","finished","-","me","2026-01-02T03:00:00.000Z","61","abc","64","8","0.0001","0.41","0.71"\n'
    '"calm-2","crashed","-","me","2026-01-02T03:00:00.000Z","6","abc","128","8","0.0001","","" \n'
    '"new-3","running","-","me","2026-01-02T03:00:00.000Z","6","abc","128","8","0.0001","0.5",""\n'
)
FRAME = (
    ",number,value,datetime_start,datetime_complete,duration,params_d_model,params_heads,user_attrs_val_auc,"
    "user_attrs_machine,system_attrs_x,state\n"
    "0,0,0.3,2026-11-25 21:47:09.5,2026-11-25 21:47:10.0,0 days 00:00:00.5,64,8,0.7,a,1,COMPLETE\n"
    "1,1,0.4,2026-11-25 21:47:10.5,2026-11-25 21:48:12.0,0 days 00:01:01.5,64,4,0.6,b,1,PRUNED\n"
)


@pytest.fixture
def read(tmp_path):
    def parse(text, name="runs.csv", columns=(), objective=""):
        (tmp_path / name).write_text(text)
        [(source, report)] = parse_files([tmp_path / name], columns=read_map(columns), objective=objective)
        assert source.kind == "table"
        return report.trials, report

    return parse


def test_an_export_of_wandb(read):
    (lucky, calm, new), report = read(WANDB)
    assert [t.outcome.status for t in (lucky, calm, new)] == ["FINISHED", "FAILED", "KILLED"]
    assert (lucky.outcome.objective, lucky.outcome.value, lucky.figures["best/roc_auc"]) == ("loss", 0.41, 0.71)
    assert (lucky.study, lucky.notes["name"], lucky.architecture.n_heads) == ("abc", "lucky-1", 8)
    assert (lucky.ended - lucky.started, lucky.figures["seconds"]) == (61_000, 61.0)
    assert dict(report.homeless) == {"User": 3}


def test_a_data_frame_of_optuna(read):
    (first, second), report = read(FRAME, columns=["n_heads=params_heads"], objective="minimize")
    assert (first.outcome.objective, first.outcome.value, first.direction) == ("unknown", 0.3, "minimize")
    assert (first.number, first.architecture.d_model, first.architecture.n_heads) == (0, 64, 8)
    assert (first.figures["seconds"], second.figures["seconds"]) == (0.5, 61.5)
    assert (first.figures["best/roc_auc"], first.notes["attr.machine"]) == (0.7, "a")
    assert (second.outcome.reason, second.outcome.status) == ("pruned", "KILLED")
    assert dict(report.homeless) == {"unnamed column 1": 2, "system_attrs_x": 2}


def test_any_table_with_a_map(read):
    text = "run,heads,width,score,comment\na,8,64,0.7,x\nb,4,32,0.6,\n"
    (a, b), report = read(
        text, columns=["n_heads=heads", "d_model=width", "value=score", "name=run"], objective="maximize"
    )
    assert [(t.architecture.n_heads, t.architecture.d_model, t.outcome.value) for t in (a, b)] == [
        (8, 64, 0.7),
        (4, 32, 0.6),
    ]
    assert (a.outcome.objective, a.direction, a.notes["name"]) == ("unknown", "maximize", "a")
    assert dict(report.homeless) == {"comment": 1}


RAY = [
    {
        "val_loss": 0.4 - n / 100,
        "training_iteration": n,
        "trial_id": name,
        "done": n == 3,
        "pid": 7,
        "config": {"model": {"heads": 8}},
    }
    for name in ("a1", "b2")
    for n in (1, 2, 3)
]


def test_json_lines_of_ray(read):
    trials, report = read(
        "".join(f"{json.dumps(row)}\n" for row in RAY[:-1]), "result.json", ["n_heads=config.model.heads"]
    )
    assert [(t.outcome.status, t.outcome.value, t.architecture.n_heads) for t in trials] == [
        ("FINISHED", 0.37, 8),
        ("KILLED", 0.38, 8),
    ]
    assert trials[0].curves == {"val/loss": {1: 0.39, 2: 0.38, 3: 0.37}}
    assert dict(report.homeless) == {"pid": 2}


def test_settings_without_a_map_keep_their_own_names(read):
    [trial, _], _ = read("".join(f"{json.dumps(row)}\n" for row in RAY), "result.json")
    assert (trial.settings, trial.architecture.n_heads) == ({"model.heads": "8"}, None)


def test_runs_of_wandb_one_a_line(read):
    lines = [
        {
            "name": name,
            "state": "finished",
            "config": {"n_heads": 8, "seed": 1},
            "summary": {"val_loss": 0.4, "f1_macro": 0.5},
        }
        for name in ("a", "b")
    ]
    (trial, _), report = read("\n".join(map(json.dumps, lines)), "runs.jsonl")
    assert (trial.architecture.n_heads, trial.settings) == (8, {"seed": "1"})
    assert (trial.outcome.objective, trial.outcome.value) == ("loss", 0.4)
    assert not report.homeless


def test_a_history_of_one_run_is_its_curves(read):
    lines = [{"_step": n, "_runtime": 2.0 * n, "val_loss": 0.5 - n / 10} for n in range(4)]
    [trial], _ = read("\n".join(map(json.dumps, lines)) + "\n", "history.jsonl")
    assert (trial.curves, trial.figures["seconds"]) == ({"val/loss": {0: 0.5, 1: 0.4, 2: 0.3, 3: 0.2}}, 6.0)


def test_a_last_line_that_is_being_written_is_left_out(read):
    text = "".join(f"{json.dumps(row)}\n" for row in RAY)
    assert len(read(f'{text}{{"val_lo', "result.json")[0]) == 2


@pytest.mark.parametrize(
    ("text", "columns", "words"),
    [
        ("Name,State\na,finished\n", [], "a column that is known or mapped, got Name, State"),
        ("State,val_loss\nfinished,0.4\nx\n", [], "must have 2 cells like the header, got 1 in runs.csv line 3"),
        ("State,val_loss,State\nfinished,0.4,x\n", [], "each column once"),
        ("State,val_loss\nfinished,0.4\n", ["n_heads=heads"], "nearest: val_loss|nearest: State"),
        ("State,val_loss\n", [], "a column that is known or mapped"),
    ],
)
def test_what_is_refused(read, text, columns, words):
    with pytest.raises(InputError, match=words):
        read(text, columns=columns)


@pytest.mark.parametrize(("mark", "name"), [(";", "runs.csv"), ("\t", "runs.tsv"), (",", "runs.csv")])
def test_the_mark_between_cells_is_found(read, mark, name):
    [trial], _ = read(mark.join(("trial", "val_loss", "d_model")) + "\n" + mark.join(("3", "0.4", "64")) + "\n", name)
    assert (trial.outcome.value, trial.architecture.d_model) == (0.4, 64)


def test_only_absence_is_absence():
    assert [is_empty(value) for value in (None, "", " - ", 0, "0", False)] == [True, True, True, False, False, False]


def test_a_list_of_objects_says_what_its_lines_say(read):
    def said(trials):
        return [(trial.fingerprint, trial.curves, trial.figures) for trial in trials]

    lines, _ = read("".join(f"{json.dumps(row)}\n" for row in RAY), "result.json")
    for indent in (None, 2):
        trials, report = read(json.dumps(RAY, indent=indent), "rows.jsonl")
        assert said(trials) == said(lines) and report.lines == len(RAY)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[{"val_loss": 0.4}, 3]', "a row must be a JSON object, got int in runs.jsonl row 2"),
        ('[{"val_loss": 0.4}, {"val_loss": 0.4]', "whole and well-formed, got .* in runs.jsonl line 1"),
        ('[{"val_loss": 0.4}, {"a": 1, "a": 2}]', "must have each key once"),
        ('{"val_loss": 0.4}\n{"a": 1, "a": 2}\n', "must have each key once, got one twice in runs.jsonl line 2"),
    ],
)
def test_damaged_json_is_refused(read, text, words):
    with pytest.raises(InputError, match=words):
        read(text, "runs.jsonl")


def test_what_must_be_held_whole_is_bounded(read, monkeypatch):
    monkeypatch.setattr(table, "MAX_DOCUMENT", 30)
    with pytest.raises(InputError, match="write an object a line"):
        read(json.dumps([{"val_loss": 0.4}, {"val_loss": 0.3}, 3]), "runs.jsonl")
    monkeypatch.setattr(table, "MAX_LINE", 20)
    for text in (
        "State,val_loss\nfinished,0.4000000000000000000\n",
        '{"a": 1}\n{"a": 2}\n{"val_loss":            1}\n',
    ):
        with pytest.raises(InputError, match="line must have at most 16 MiB"):
            read(text, "runs.jsonl" if text.startswith("{") else "runs.csv")


def csv_rows(n, steps):
    return "".join(f"t{n},{step},0.{step},{n},{'x' * 300}\n" for step in range(steps))


def json_rows(n, steps):
    row = {"trial_id": f"t{n}", "note": "x" * 300, "config": {"seed": n}}
    return [{**row, "training_iteration": step, "val_loss": step / 10} for step in range(steps)]


@pytest.mark.slow
@pytest.mark.parametrize("form", ["csv", "lines", "list"])
@pytest.mark.parametrize("steps", [1, 5])
def test_memory_hardly_grows_with_the_rows_of_a_table(tmp_path, monkeypatch, form, steps):
    monkeypatch.setattr(spilled, "HELD", 1)
    monkeypatch.setattr(stream, "CHUNK", 4096)

    def write(path, trials):
        if form == "csv":
            text = "trial_id,training_iteration,val_loss,config/seed,note\n"
            path.write_text(text + "".join(csv_rows(n, steps) for n in range(trials)))
            return
        rows = [row for n in range(trials) for row in json_rows(n, steps)]
        path.write_text(json.dumps(rows) if form == "list" else "".join(f"{json.dumps(row)}\n" for row in rows))

    def peak(trials):
        path = tmp_path / ("runs.csv" if form == "csv" else "runs.jsonl")
        write(path, trials)
        tracemalloc.start()
        [(_, report)] = parse_files([path])
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert len(report.trials) == trials
        return found

    fewer, more = 100, 300
    peak(fewer)  # what the first reading loads stays
    assert peak(more) - peak(fewer) < 100 * (5 + steps) * (more - fewer)
