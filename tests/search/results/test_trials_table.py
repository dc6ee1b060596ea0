from dataclasses import replace

import pytest

from search.results.trials_table import trials_table
from search.study.named_values import read_values, write_values


def test_best_loss_first_and_unfinished_trials_last_each_in_a_word(scheduled):
    table = trials_table(scheduled(0.45, "failed", 0.4, None, "interrupted"))
    assert list(table["number"]) == [2, 0, 1, 3, 4]
    assert list(table["state"]) == ["finished", "finished", "failed", "waiting", "interrupted"]
    assert list(table["loss"].dropna()) == [0.4, 0.45]


@pytest.mark.lesson("L3")
def test_what_is_unknown_is_empty_and_whole_numbers_stay_whole(scheduled):
    table = trials_table(scheduled(0.4, None)).set_index("number")
    assert table.loc[1, ["label", "loss", "epochs", "d_model", "learning_rate", "run_id"]].isna().all()
    assert table.loc[0, "n_params"] == 5000 and str(table["d_model"].dtype) == "Int64"


def test_a_reused_result_is_not_counted_as_finished(scheduled):
    table = trials_table(scheduled(0.4, reuses=7, end="reused"))
    assert list(table["state"]) == ["reused"] and table["loss"].isna().all()


@pytest.mark.lesson("L2")
def test_the_table_speaks_in_dimensions(make_trained):
    study = make_trained(2, 1)
    table = trials_table(study)
    row = table.iloc[0]
    assert row["label"] == f"d{row['d_model']}-L{row['n_layers']}-h{row['n_heads']}-ff{row['d_ff']}"
    assert list(table["state"].value_counts().index) == ["waiting", "finished"]
    assert not any(name.endswith("_rank") for name in table)


def test_settings_that_are_searched_or_fixed_by_an_option_are_columns(make_study, planned):
    ranges = {"batch_size": "int 64 to 256 step 64", "label_smoothing": "float 0.0 to 0.1"}
    fixed = read_values(planned[0].fixed_settings) | {"dropout": "0.3"}
    del fixed["label_smoothing"]
    study = make_study(1)
    plan = replace(study.plan, search_ranges=write_values(ranges), fixed_settings=write_values(fixed))
    table = trials_table(replace(study, plan=plan))
    assert (table["dropout"] == 0.3).all() and "label_smoothing" in table and "attention_dropout" not in table
    assert "label_smoothing" not in trials_table(study)
