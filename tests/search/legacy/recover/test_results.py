import math

from hypothesis import given
from hypothesis import strategies as st

from search.legacy.recover.results import error_text, further_metrics, is_metric, metric_name, read_curves

plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9)
nested = st.recursive(
    plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner), max_leaves=9
)
keys = st.sampled_from(
    ["learning_curve", "history", "val_losses", "intermediate_values", "epochs", "val_auc", "error", "x"]
)


@given(st.dictionaries(keys, nested))
def test_any_record_gives_finite_results_by_whole_steps(record):
    assert all(math.isfinite(value) for value in further_metrics(record).values())
    for curve in read_curves(record).values():
        assert all(isinstance(step, int) and math.isfinite(value) for step, value in curve.items())
    assert isinstance(error_text(record), str)


@given(st.text())
def test_any_name_becomes_one_that_mlflow_takes(name):
    from mlflow.utils.validation import _validate_metric_name

    _validate_metric_name(metric_name(name))


def test_settings_are_no_results():
    assert not any(map(is_metric, ("lr", "epochs", "loss_weight", "n_heads", "seed", "precision_mode", "recall_k_max")))
    assert further_metrics({"value": 0.3, "val_loss": 0.3, "val_f1": math.nan, "map": 0.5}) == {}


def test_steps_that_are_not_said_count_from_zero_and_said_ones_are_kept():
    assert read_curves({"history": [{"val_loss": 0.5}, {"val_loss": 0.4}]}) == {"val/loss": {0: 0.5, 1: 0.4}}
    assert read_curves({"history": {"epoch": [5, 10], "val_f1": [0.5, 0.4]}}) == {"val_f1": {5: 0.5, 10: 0.4}}
    assert read_curves({"x": [{"step": 3, "train_loss": 0.5}]}) == {"train/loss": {3: 0.5}}


@given(st.lists(st.sampled_from(["", ".", "..", "a", " ", ".a", "ä", "a:"]), max_size=6).map("/".join))
def test_no_path_in_a_name_stops_an_import(name):
    from mlflow.utils.validation import _validate_metric_name, _validate_param_name, _validate_tag_name

    for made in (metric_name(name), f"attr.{metric_name(name)}", f"setting.{metric_name(name)}"):
        _validate_metric_name(made)
        _validate_param_name(made)
        _validate_tag_name(made)
