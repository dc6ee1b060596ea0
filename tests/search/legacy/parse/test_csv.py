import json

import pytest

from pipeline.exceptions import InputError

HYPERPARAMETERS = json.dumps({"arch_idx": 57, "learning_rate": 0.0001, "epochs": 50, "batch_size": 32})
WINNER = {
    "hyperparameters": HYPERPARAMETERS,
    "d_model": "64.0",
    "n_layers": "48.0",
    "n_heads": "8.0",
    "d_ff": "256.0",
    "param_count": "2414273.0",
    "duration_seconds": "14361.3",
}
FALLBACK = {
    "hyperparameters": json.dumps({"learning_rate": 0.0005}),
    "d_model": "64.0",
    "n_layers": "32.0",
    "n_heads": "2.0",
    "d_ff": "256.0",
    "param_count": "1614529.0",
}
DEEP_FALLBACK = {
    **FALLBACK,
    "experiment": "phase6a_2B_h1_threshold_1pct",
    "budget": "2B",
    "d_model": 1024,
    "n_layers": 180,
    "n_heads": 2,
    "d_ff": 2048,
    "param_count": "1512268801.0",
}


def test_a_row_is_a_trial(parse, csv_text):
    [trial], _ = parse(csv_text(WINNER), "x.csv")
    a = trial.architecture
    assert (a.d_model, a.n_layers, a.n_heads, a.d_ff, a.n_params) == (64, 48, 8, 256, 2414273)
    assert (a.n_heads_origin, a.grids) == ("in the source", "grid v1, 20 features")
    assert (trial.study, trial.budget, trial.horizon) == ("phase6a_2M_h1_threshold_1pct", "2M", 1)
    assert trial.training == {"learning_rate": 0.0001, "epochs": 50, "batch_size": 32}
    assert (trial.outcome.status, trial.outcome.objective, trial.outcome.value) == (
        "FINISHED",
        "loss",
        0.3369480967521667,
    )
    assert trial.where == "line 2"
    assert trial.all_flags == ()


@pytest.mark.lesson("L2")
def test_the_head_count_is_recovered_where_the_column_is_empty(parse, csv_text):
    [trial], report = parse(csv_text({**WINNER, "n_heads": ""}), "x.csv")
    assert (trial.architecture.n_heads, trial.architecture.n_heads_origin) == (8, "recovered (grid v1, 20 features)")
    assert report.recovered == [trial]


@pytest.mark.lesson("L3")
def test_the_two_rows_that_a_look_up_made_up_are_not_trusted(parse, csv_text):
    trials, report = parse(csv_text(FALLBACK, WINNER, DEEP_FALLBACK), "x.csv")
    assert report.flagged == [trials[0], trials[2]]
    for trial in report.flagged:
        a = trial.architecture
        assert [a.d_model, a.n_layers, a.n_heads, a.d_ff, a.n_params] == [None] * 5
        assert "n_heads=2" in a.untrusted
        assert trial.outcome.value is not None


def test_a_final_training_has_no_index_to_miss(parse, csv_text):
    [trial], _ = parse(csv_text({**FALLBACK, "run_type": "final_training"}), "x.csv")
    assert trial.architecture.n_heads == 2


@pytest.mark.lesson("L3")
def test_empty_cells_and_missing_columns_are_absence(parse):
    [trial], _ = parse("experiment,val_loss\nsome study,0.3\n", "x.csv")
    a = trial.architecture
    assert [a.d_model, a.n_layers, a.n_heads, a.d_ff, a.n_params] == [None] * 5
    assert (trial.budget, trial.horizon, trial.number, trial.arch_idx) == (None, None, None, None)
    assert (dict(trial.training), dict(trial.figures), dict(trial.notes)) == ({}, {}, {})


def test_extra_columns_are_kept_in_the_content_only(parse):
    [trial], _ = parse("weather,experiment,val_loss\nsun,s,0.3\n", "x.csv")
    assert '"weather": "sun"' in trial.content


@pytest.mark.lesson("L7")
def test_a_horizon_that_name_and_column_contradict_is_absent(parse, csv_text):
    [trial], _ = parse(csv_text({"horizon": "3"}), "x.csv")
    assert trial.horizon is None
    assert trial.flags == ("horizon is said to be 1 and 3; left out",)


@pytest.mark.lesson("L9")
@pytest.mark.parametrize("cell", [{"run_type": "dry_run"}, {"status": "DRY-RUN"}])
def test_a_dry_run_has_no_result(parse, csv_text, cell):
    [trial], _ = parse(csv_text({**WINNER, **cell}), "x.csv")
    assert (trial.outcome.status, trial.outcome.value, trial.notes["dry_run"]) == ("KILLED", None, "true")


def test_status_and_error_are_read(parse, csv_text):
    failed, odd = parse(csv_text({"status": "failed", "error_message": "out of memory"}, {"status": "maybe"}), "x.csv")[
        0
    ]
    assert (failed.outcome.status, failed.outcome.reason) == ("FAILED", "out of memory")
    assert (odd.outcome.status, odd.flags) == ("KILLED", ("state 'maybe' is unknown",))


def test_hyperparameters_that_cannot_be_read_are_flagged(parse, csv_text):
    trials, _ = parse(csv_text({"hyperparameters": "{'arch_idx': 57}"}, {"hyperparameters": "[1, 2"}), "x.csv")
    assert trials[0].arch_idx == 57
    assert trials[1].flags == ("hyperparameters must be a JSON object, got another text; left out",)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: text[:-1], "must end with a line break"),
        (lambda text: text[:-40] + "\n", "half-written or damaged"),
        (lambda text: text + "phase6a\n", "must have 22 cells like the header, got 1 in x.csv line 4"),
        (lambda text: text + 'phase6a,"\n', "unexpected end of data in x.csv line 4"),
        (lambda text: text.replace("val_loss", "loss"), "got no val_loss in x.csv"),
        (lambda text: text.replace("phase,", "budget,"), "got a repeated one"),
        (lambda text: "", "got no experiment, val_loss"),
        (lambda text: text + "," * 2**21 + "\n", "at most 1 MiB"),
        (lambda text: text + 'a,"' + "x" * 200_000 + '"\n', "field larger than field limit"),
    ],
)
def test_a_file_that_is_not_whole_is_refused(parse, csv_text, change, words):
    with pytest.raises(InputError, match=words):
        parse(change(csv_text(WINNER, FALLBACK)), "x.csv")


def test_a_line_break_inside_quotes_moves_the_line_numbers(parse):
    trials, _ = parse('experiment,val_loss,hyperparameters\na,0.1,"{\n}"\nb,0.2,\n', "x.csv")
    assert [trial.where for trial in trials] == ["line 2", "line 4"]


def test_identity_ignores_how_numbers_are_written_and_the_file(parse, csv_text):
    [first], _ = parse(csv_text(WINNER), "x.csv")
    [again], _ = parse(csv_text({**WINNER, "d_model": 64, "n_heads": 8, "horizon": "1.0"}), "y.csv")
    [other], _ = parse(csv_text({**WINNER, "val_loss": "0.4"}), "x.csv")
    assert first.fingerprint == again.fingerprint != other.fingerprint
