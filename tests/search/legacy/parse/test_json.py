import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.exceptions import InputError
from search.legacy.parse.json import KNOWN

SAMPLED = {
    "number": 7,
    "value": 0.71,
    "state": "TrialState.COMPLETE",
    "params": {
        "d_model": 96,
        "n_layers": 6,
        "n_heads": 8,
        "d_ff_ratio": 2,
        "learning_rate": 5e-4,
        "dropout": 0.5,
        "weight_decay": 1e-3,
    },
}
FORCED = {
    "number": 0,
    "value": 0.7117,
    "state": "TrialState.COMPLETE",
    "params": {},
    "user_attrs": {
        "duration_sec": 28.1,
        "epochs_run": 50,
        "extreme_type": "min_d_model",
        "forced_d_ff_ratio": 4,
        "forced_d_model": 32,
        "forced_dropout": 0.3,
        "forced_extreme": True,
        "forced_learning_rate": 5e-05,
        "forced_n_heads": 8,
        "forced_n_layers": 4,
        "forced_weight_decay": 0.0001,
        "val_auc": 0.7117,
    },
}
WRAPPED = {
    "experiment": "phase6a_20M_h3_threshold_1pct",
    "budget": "20M",
    "n_trials": 1,
    "timestamp": "2025-12-13T03:51:46",
    "trials": [
        {
            "trial_number": 0,
            "value": 0.2737,
            "params": {"arch_idx": 15, "learning_rate": 0.00011, "epochs": 50, "batch_size": 64},
            "duration_seconds": 14522.4,
            "d_model": 256,
            "n_layers": 24,
            "n_heads": 2,
            "param_count": 19014401,
        }
    ],
}
RECOVERED = {
    "experiment": "phase6a_2M_h1_threshold_1pct",
    "budget": "2M",
    "generated_from": "log_recovery",
    "trials": [
        {
            "trial_number": 7,
            "arch_idx": 57,
            "d_model": 64,
            "n_layers": 48,
            "n_heads": None,
            "param_count": 2414273,
            "lr": 0.0001,
            "epochs": 50,
            "batch_size": 32,
            "val_loss": 0.3369,
        }
    ],
}


@pytest.fixture
def trials(parse):
    return lambda document: parse(json.dumps(document, indent=1), "x.json")[0]


def test_a_bare_list(trials):
    [trial] = trials([SAMPLED])
    a = trial.architecture
    assert (a.d_model, a.n_layers, a.n_heads, a.d_ff, a.n_params) == (96, 6, 8, 192, None)
    assert trial.training == {"learning_rate": 5e-4, "weight_decay": 1e-3, "dropout": 0.5}
    assert (trial.number, trial.study, trial.budget, trial.horizon) == (7, None, None, None)
    assert (trial.form, trial.where) == ("json list", "line 2")


@pytest.mark.lesson("L4")
def test_a_forced_trial_leaves_the_same_record_as_a_sampled_one(trials):
    forced, sampled = trials([FORCED, {**FORCED, "params": {"d_model": 32, "n_layers": 4, "n_heads": 8}}])
    assert forced.architecture == sampled.architecture
    assert (forced.architecture.d_model, forced.architecture.n_heads, forced.architecture.d_ff) == (32, 8, 128)
    assert forced.training == {"learning_rate": 5e-05, "weight_decay": 0.0001, "dropout": 0.3}
    assert forced.notes == {"forced": "extreme", "extreme_type": "min_d_model"}
    assert forced.number == 0


def test_a_forced_value_that_the_sampled_one_contradicts_is_absent(trials):
    [trial] = trials([{**FORCED, "params": {"n_heads": 4}}])
    assert trial.architecture.n_heads is None
    assert trial.flags == ("n_heads is said to be 4 and 8; left out",)


def test_a_value_is_called_what_the_source_calls_it_and_else_nothing(trials):
    unnamed, auc, loss = trials([SAMPLED, FORCED, {**SAMPLED, "val_loss": 0.71}])
    assert [t.outcome.objective for t in (unnamed, auc, loss)] == ["unknown", "roc_auc", "loss"]
    assert auc.figures == {"seconds": 28.1, "n_epochs": 50.0, "best/roc_auc": 0.7117}


def test_a_wrapped_study(trials):
    [trial] = trials(WRAPPED)
    a = trial.architecture
    assert (a.d_model, a.n_layers, a.n_heads, a.n_params) == (256, 24, 2, 19014401)
    assert (a.d_ff, a.d_ff_origin) == (1024, "recovered (parameter count, 20 features)")
    assert (trial.study, trial.budget, trial.horizon) == ("phase6a_20M_h3_threshold_1pct", "20M", 3)
    assert (trial.outcome.objective, trial.outcome.value) == ("loss", 0.2737)
    assert trial.figures == {"seconds": 14522.4}


@pytest.mark.lesson("L1")
def test_a_study_recovered_from_a_log(trials):
    [trial] = trials(RECOVERED)
    a = trial.architecture
    assert (a.n_heads, a.n_heads_origin) == (8, "recovered (grid v1, 20 features)")
    assert (trial.form, trial.outcome.value) == ("json log_recovery", 0.3369)
    assert trial.training == {"learning_rate": 0.0001, "epochs": 50, "batch_size": 32}


@pytest.mark.lesson("L25")
@pytest.mark.parametrize(
    ("value", "state", "status", "text"),
    [
        ("NaN", "COMPLETE", "FAILED", "nan"),
        ("Infinity", "COMPLETE", "FAILED", "inf"),
        ("1e999", "COMPLETE", "FAILED", "inf"),
        ("100.0", "COMPLETE", "FAILED", "100.0"),
        ("null", "RUNNING", "KILLED", ""),
        ("null", "COMPLETE", "KILLED", ""),
        ("0.4", "PRUNED", "KILLED", ""),
        ("0.4", "FAIL", "FAILED", ""),
        ("0.4", "", "FINISHED", ""),
    ],
)
def test_how_a_trial_ended(parse, value, state, status, text):
    [trial], _ = parse(f'[{{"number": 0, "value": {value}, "state": "{state}", "params": {{}}}}]', "x.json")
    assert (trial.outcome.status, trial.outcome.value_text) == (status, text)
    assert trial.outcome.reason


@pytest.mark.lesson("L3")
def test_zero_is_a_number_and_absence_is_unknown(trials):
    zero, none = trials([{"number": 0, "params": {"arch_idx": 0}}, {"value": 0.5}])
    assert (zero.number, zero.arch_idx) == (0, 0)
    assert (none.number, none.arch_idx) == (None, None)


@pytest.mark.lesson("L9")
def test_a_dry_run_has_no_result(trials):
    [trial] = trials({**WRAPPED, "dry_run": True})
    assert (trial.outcome.status, trial.outcome.value, trial.notes["dry_run"]) == ("KILLED", None, "true")


@pytest.mark.lesson("L45")
@pytest.mark.parametrize("state", [{}, {"state": "TrialState.COMPLETE"}])
@pytest.mark.parametrize("result", ["val_auc", "val_precision", "test_f1", "val_brier_score"])
@pytest.mark.parametrize("place", [None, "user_attrs", "metrics"])
def test_a_result_that_is_no_objective_is_kept_and_makes_a_trial_finished(trials, state, result, place):
    found = {result: 0.713} if place is None else {place: {result: 0.713}}
    [trial] = trials([{"params": {"d_model": 64}, **state, **found}])
    name = "best/roc_auc" if result == "val_auc" else result
    assert (trial.outcome.status, trial.outcome.value, trial.outcome.objective) == ("FINISHED", None, "unknown")
    assert trial.figures[name] == 0.713


def test_a_loss_of_training_alone_is_no_result(trials):
    [trial] = trials([{"number": 0, "train_loss": 0.5, "params": {}}])
    assert (trial.outcome.status, trial.figures) == ("KILLED", {"train_loss": 0.5})


@pytest.mark.lesson("L45")
@pytest.mark.parametrize(
    "error",
    [{"error": "RuntimeError: MPS"}, {"error_message": "boom"}, {"exception": {"type": "E"}}, {"traceback": "…"}],
)
@pytest.mark.parametrize("state", [{}, {"state": "TrialState.COMPLETE"}])
def test_a_trial_that_names_an_error_failed_and_keeps_its_value_as_text(trials, error, state):
    for entry in ({**SAMPLED, **state, "user_attrs": error}, {**SAMPLED, **state, **error}):
        [trial] = trials([entry])
        assert (trial.outcome.status, trial.outcome.value) == ("FAILED", 0.71)
        assert "names an error" in trial.flags[0]


@pytest.mark.parametrize("error", [None, "", "none", "nan", False, 0.25, {}, []])
def test_what_is_no_error_fails_nothing(trials, error):
    assert trials([{**SAMPLED, "user_attrs": {"error": error}}])[0].outcome.status == "FINISHED"


def test_the_exact_value_beats_its_rounding(trials):
    exact = {"learning_rate": 0.0005173887963493101, "dropout": 0.10239409387719026}
    entry = {
        "trial_number": 3,
        "lr": 0.000517,
        "dropout": 0.10,
        "val_loss": 0.3285,
        "value": 0.32849574,
        "params": exact,
    }
    [trial] = trials({**RECOVERED, "trials": [entry]})
    assert (trial.training, trial.flags) == (exact, ())
    assert (trial.outcome.objective, trial.outcome.value) == ("loss", 0.32849574)


@pytest.mark.parametrize(
    "said",
    [
        {"user_attrs": {"actual_dropout": 0.27}},
        {"user_attrs": {"dropout_used": 0.27}},
        {"user_attrs": {"dropout": 0.27}},
        {"trained_params": {"dropout": 0.27}},
        {"user_attrs": {"final_params": {"dropout": 0.27}}},
        {"architecture": {"d_model": 96, "dropout": 0.27}},
    ],
)
def test_what_was_trained_beats_what_was_drawn(trials, said):
    [trial] = trials([{**SAMPLED, **said}])
    assert trial.training["dropout"] == 0.27
    assert trial.flags == ("dropout was 0.27 in training, drawn was 0.5",)


def test_in_what_was_recovered_from_a_log_the_start_line_says_what_was_trained(trials):
    entry = {**RECOVERED["trials"][0], "dropout": 0.27, "params": {"dropout": 0.1612, "learning_rate": 0.0001}}
    [trial] = trials({**RECOVERED, "trials": [entry]})
    assert trial.training["dropout"] == 0.27 and "drawn was 0.1612" in trial.flags[0]


@pytest.mark.lesson("L45")
@pytest.mark.parametrize(
    ("study", "more", "objective"),
    [
        ("phase6c_2m_h1_a50", {}, "unknown"),
        ("phase6c_2m_h1_a50", {"metric": "val_loss"}, "loss"),
        ("phase6c_2m_h1_a50", {"objective": "val_auc"}, "roc_auc"),
        ("phase6a_2M_h1", {}, "loss"),
        ("phase6a_2M_h1", {"direction": "maximize"}, "unknown"),
        ("phase6a_2M_h1", {"best_value": 0.72}, "unknown"),
        ("phase6a_2M_h1", {"best_value": 0.71}, "loss"),
    ],
)
def test_a_value_is_a_loss_only_where_the_source_or_its_study_says_so(trials, study, more, objective):
    found = trials({"experiment": study, **more, "trials": [SAMPLED, {**SAMPLED, "number": 8, "value": 0.72}]})
    assert {trial.outcome.objective for trial in found} == {objective}


SINGLE = {
    "trial_number": 7,
    "value": 0.33,
    "params": {"arch_idx": 60, "learning_rate": 0.0001},
    "datetime_start": "2026-01-02T03:00:00",
    "duration_seconds": 600.0,
    "architecture": {"d_model": 64, "n_layers": 48, "n_heads": 2, "d_ff": 256, "param_count": 2417473},
}


@pytest.mark.parametrize(
    "curve",
    [
        {"learning_curve": [{"epoch": 0, "val_loss": 0.45}, {"epoch": 1, "val_loss": 0.41}]},
        {"user_attrs": {"history": {"epoch": [0, 1], "val_loss": [0.45, 0.41]}}},
        {"user_attrs": {"val_losses": [0.45, 0.41]}},
        {"epochs": [{"val_loss": 0.45}, {"val_loss": 0.41}]},
    ],
)
def test_a_single_trial_is_read_whole(trials, curve):
    [trial] = trials({**SINGLE, **curve})
    a = trial.architecture
    assert (a.d_model, a.n_layers, a.n_heads, a.d_ff, a.n_params) == (64, 48, 2, 256, 2417473)
    assert (trial.form, trial.number, trial.outcome.value) == ("json trial", 7, 0.33)
    assert trial.curves == {"val/loss": {0: 0.45, 1: 0.41}}
    assert trial.notes["started"] == "2026-01-02T03:00:00" and trial.figures["seconds"] == 600.0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("3", "must be a list of trials"),
        ("null", "must be a list of trials"),
        ('{"trials": {"0": 1}}', "must be a list of trials"),
        ("{}", "must be a list of trials"),
        ('[{"number": 0}, 7]', "entry 2"),
        ('[{"name": "no trial"}]', "entry 1"),
        (json.dumps([SAMPLED])[:-9], "half-written"),
        ('[{"number": 0, "x": ' + "[" * 500 + "]" * 500 + "}]", "too many levels"),
    ],
)
def test_what_is_refused(parse, text, words):
    with pytest.raises(InputError, match=words):
        parse(text, "x.json")


keys = st.sampled_from([*sorted(KNOWN), "d_model", "n_heads", "state", "user_attrs", "experiment", "budget", "horizon"])
leaves = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=()), max_size=9)
)
entry = st.dictionaries(keys, leaves | st.lists(leaves) | st.dictionaries(keys, leaves), min_size=1)


@example([{"arch_idx": "0\x1f"}], {})
@given(st.lists(entry, max_size=3), st.dictionaries(keys, leaves))
def test_any_document_is_read_or_refused(parse, found, wrapper):
    for document in (found, {**wrapper, "trials": found}):
        try:
            trials, _ = parse(json.dumps(document), "x.json")
        except InputError:
            continue
        assert len(trials) == len(found)
        assert all(trial.fingerprint for trial in trials)
