from dataclasses import asdict, replace

import pytest

from model.windows import make_windows
from pipeline.exceptions import InputError, StoreError
from pipeline.sources import open_source
from pipeline.splits.base_rates import base_rates
from search.space.drawn import TRAINING
from search.study import make_plan as making
from search.study.make_plan import make_plan
from search.study.study import load_study, open_or_create_study
from tests.search.conftest import REQUEST


def test_another_grid_is_rebuilt_from_the_stored_plan_and_named_apart(stores, planned):
    own = replace(REQUEST, tolerance=0.5, n_layers=(2, 3), ff_ratio=(1, 2, 3), min_head_dim=4)
    plan, _ = make_plan(own, root=planned[2])
    made = open_or_create_study(stores, plan, trials=2, data_root=planned[2])
    assert plan.study != planned[0].study and plan.grid_hash[:6] in plan.study
    stored = load_study(stores, plan.study).plan
    assert stored == plan and stored.grid() == plan.grid()
    assert {a.n_layers for a in stored.grid().architectures} == {2, 3}
    assert plan.spec(plan.grid().architectures[0], {}).tolerance == 0.5
    params = made.client.get_run(made.run_id).data.params
    assert (params["n_layers_axis"], params["ff_ratio_axis"], params["min_head_dim"]) == ("2,3", "1,2,3", "4")


def test_the_standard_axes_written_out_are_the_standard_study(planned):
    written = replace(REQUEST, **asdict(REQUEST.axes.of(REQUEST.size)))
    assert make_plan(written, root=planned[2])[0] == planned[0]


@pytest.mark.lesson("L9")
def test_the_same_request_on_the_same_data_is_the_same_plan(planned, tmp_path):
    plan, dataset, root = planned
    for place in (root, tmp_path):
        again, data = make_plan(REQUEST, root=place)
        assert (again, data.digest) == (plan, dataset.digest)


def test_whatever_makes_other_trials_makes_another_name_and_a_name_that_was_given_stays(planned):
    _, _, root = planned
    changes = ({"horizon": 2}, {"threshold": 0.02}, {"tolerance": 0.5}, {"instance_norm": "revin"}, {"budget": "6K"})
    names = [make_plan(replace(REQUEST, **each), root=root)[0].study for each in ({}, *changes)]
    assert len(set(names)) == len(names)
    assert make_plan(replace(REQUEST, study="mine", horizon=2), root=root)[0].study == "mine"


def test_the_forecast_ticker_among_the_pooled_ones_is_not_pooled_twice(planned, tmp_path):
    tickers = (planned[0].data.ticker, "^IXIC")
    found, _ = make_plan(replace(REQUEST, train_tickers=tickers), root=tmp_path)
    assert found.data.train_datasets.startswith("^IXIC=") and "," not in found.data.train_datasets
    assert "-pooled-" in found.study


@pytest.mark.parametrize(("changing", "pulls"), [(("sample",), 0), ((), 1)])
def test_what_would_download_otherwise_tomorrow_is_taken_as_it_is_stored(planned, monkeypatch, changing, pulls):
    """The same command means the same data; only ``data pull`` refreshes."""
    plan, _, root = planned
    pulled = []

    def count(*arguments):
        pulled.append(arguments)
        return pull(*arguments)

    pull = making.pull
    monkeypatch.setattr(making, "CHANGING_SOURCES", changing)
    monkeypatch.setattr(making, "pull", count)
    assert make_plan(REQUEST, root=root)[0] == plan
    assert len(pulled) == pulls and open_source("sample").default_ticker == plan.data.ticker


@pytest.mark.lesson("L22")
def test_planning_counts_no_label_of_the_sealed_test(planned, monkeypatch, tmp_path):
    """Also where the test holds one class only: nobody is told."""
    seen = []

    def count(labels, rows):
        seen.append(rows)
        return base_rates(labels, rows)

    monkeypatch.setattr(making, "base_rates", count)
    make_plan(REQUEST, root=planned[2])
    assert [list(rows.parts) for rows in seen] == [["train", "validation"]]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"horizon": 400}, "validation must have at least 200 days, got .*a horizon of 400 needs 600"),
        (
            {"split": "2012-12-31/2014-12-31/2015-01-06", "horizon": 3},
            "test must have at least 4 days for a horizon of 3, got 3 between 2015-01-01 and 2015-01-06; .*at most 2",
        ),
        ({"split": "2012-12-31/2014-12-31/2015-01-01"}, "test must have at least 2 days for a horizon of 1, got 0"),
        ({"horizon": 6000}, "horizon must be shorter than the series of [0-9]+ days, got 6000"),
    ],
)
def test_a_horizon_that_empties_a_part_is_refused_with_the_least_length(planned, change, words):
    with pytest.raises(InputError, match=words):
        make_plan(replace(REQUEST, **change), root=planned[2])


WINDOW = {"context_length": (20, 30, 60), "patch_length": (5, 10), "stride": (5,)}


@pytest.mark.lesson("L19")
def test_no_value_of_the_window_changes_the_days_that_are_evaluated(planned):
    """Nor the last training days: a longer context takes the first ones only."""
    plan, dataset = make_plan(replace(REQUEST, **WINDOW), root=planned[2])
    rows = {
        a.context_length: make_windows(dataset, plan.target, plan.split, a.context_length).rows
        for a in plan.grid().architectures
    }
    longest = rows[plan.context_length]
    assert set(rows) == {20, 30, 60} and plan.context_length == 60
    for context, found in rows.items():
        assert found.validation.tolist() == longest.validation.tolist()
        assert found.test.tolist() == longest.test.tolist()
        assert found.train[found.train >= 59].tolist() == longest.train.tolist() and found.train[0] == context - 1


def test_a_searched_window_is_rebuilt_from_the_stored_plan_and_named_apart(stores, planned):
    plan, _ = make_plan(replace(REQUEST, **WINDOW), root=planned[2])
    made = open_or_create_study(stores, plan, trials=2, data_root=planned[2])
    stored = load_study(stores, plan.study).plan
    assert stored == plan and stored.grid() == plan.grid() and stored.space().hash == plan.space_hash
    assert f"-g{plan.grid_hash[:6]}-" in plan.study
    assert "context_length=20 30 60" in made.client.get_run(made.run_id).data.params["fixed_settings"]
    labels = {a.label for a in stored.grid().architectures}
    assert {label.rpartition("-")[2] for label in labels} == {f"c{c}p{p}s5" for c in (20, 30, 60) for p in (5, 10)}


def test_the_usual_window_written_out_is_the_usual_study_and_another_one_is_not(planned):
    written = replace(REQUEST, context_length=(60,), patch_length=(10,), stride=(5,))
    assert make_plan(written, root=planned[2])[0] == planned[0]
    other, _ = make_plan(replace(REQUEST, context_length=(30,)), root=planned[2])
    assert other.study != planned[0].study and other.space().distributions() == planned[0].space().distributions()
    assert {a.context_length for a in other.grid().architectures} == {30}
    assert all("-c" not in a.label for a in other.grid().architectures)


@pytest.mark.parametrize(
    ("made", "asked", "words"),
    [
        ({}, {"context_length": (30,)}, "context_length 60 there, 30 here"),
        ({"context_length": (30,)}, {"context_length": (60,)}, "context_length 30 there, 60 here"),
        (WINDOW, {}, "context_length 20 30 60 there, 60 here"),
        ({"stride": (2, 5)}, {"stride": (5,)}, "stride 2 5 there, 5 here"),
    ],
)
def test_a_study_of_another_window_is_not_continued_and_each_difference_is_named(stores, planned, made, asked, words):
    first, second = (replace(REQUEST, study="mine", **each) for each in (made, asked))
    plans = [make_plan(each, root=planned[2])[0] for each in (first, second)]
    open_or_create_study(stores, plans[0], trials=2, data_root=planned[2], named=first.named_settings)
    with pytest.raises(StoreError, match=words):
        open_or_create_study(stores, plans[1], trials=2, data_root=planned[2], named=second.named_settings)


def test_one_window_that_no_option_names_stays_the_study_s_own(stores, planned):
    first, second = replace(REQUEST, study="mine", context_length=(30,)), replace(REQUEST, study="mine")
    plans = [make_plan(each, root=planned[2])[0] for each in (first, second)]
    open_or_create_study(stores, plans[0], trials=2, data_root=planned[2], named=first.named_settings)
    assert open_or_create_study(stores, plans[1], trials=3, data_root=planned[2]).plan == plans[0]


def test_a_window_that_leaves_no_combination_is_refused(planned):
    with pytest.raises(InputError, match="got context_length 10, patch_length 20, stride 5: take longer contexts"):
        make_plan(replace(REQUEST, context_length=(10,), patch_length=(20,)), root=planned[2])


def test_the_longest_context_must_leave_rows_to_train_on(planned):
    long = replace(REQUEST, budget="2M", context_length=(500, 4000), patch_length=(500,), stride=(500,))
    with pytest.raises(InputError, match=r"at least one whole context before .*, or a shorter context"):
        make_plan(long, root=planned[2])


RANGES = {"learning_rate": "1e-5:1e-3:log", "dropout": "0.3", "batch_size": "32,64", "label_smoothing": "0:0.1"}


@pytest.mark.lesson("L37")
def test_asked_ranges_are_of_the_plan_and_what_the_stored_study_draws_from(stores, planned):
    request = replace(REQUEST, **RANGES)
    plan, _ = make_plan(request, root=planned[2])
    made = open_or_create_study(stores, plan, trials=2, data_root=planned[2], named=request.named_settings)
    stored = load_study(stores, plan.study).plan
    space = stored.space()
    assert stored == plan and space.hash == plan.space_hash != planned[0].space_hash
    assert list(space.training) == ["learning_rate", "weight_decay", "warmup_fraction", "batch_size", "label_smoothing"]
    assert space.distributions() == plan.space().distributions()
    params = made.client.get_run(made.run_id).data.params
    assert (
        "learning_rate=float 1e-05 to 0.001 log" in params["search_ranges"]
        and "dropout=0.3" in params["fixed_settings"]
    )
    assert "-t" in plan.study and plan.grid_hash == planned[0].grid_hash
    forced = made.schedule.get_trials()[0].system_attrs["fixed_params"]
    assert forced.items() >= {"batch_size": 64, "label_smoothing": 0.0, "learning_rate": 3e-4}.items()
    assert "dropout" not in forced and plan.spec(plan.grid().architectures[0], {}).training.dropout == 0.3


@pytest.mark.lesson("L36")
@pytest.mark.lesson("L37")
def test_a_study_of_one_rate_for_all_widths_stays_one_unless_the_option_is_named(stores, planned):
    recipe = {"head": "distribution", "tier": "s33", "offset": "none", "train_tickers": ("none",)}
    wide = replace(REQUEST, budget="20M", n_layers=(3, 4), **recipe)
    asked = {rates: replace(wide, width_rates=rates) for rates in ("auto", "none", "fan_in")}
    plans = {rates: make_plan(each, root=planned[2])[0] for rates, each in asked.items()}
    assert plans["auto"] == plans["fan_in"] and "width_rates=fan_in" in plans["auto"].fixed_settings
    assert plans["none"].study != plans["auto"].study, "whoever asks for another one gets another study"
    assert replace(plans["none"], study=plans["auto"].study).grid_hash == plans["auto"].grid_hash
    older = replace(plans["none"], study=plans["auto"].study)
    open_or_create_study(stores, older, trials=2, data_root=planned[2])
    again = open_or_create_study(stores, plans["auto"], trials=3, data_root=planned[2])
    assert (
        again.plan == older and again.plan.spec(again.plan.grid().architectures[0], {}).training.width_rates == "none"
    )
    with pytest.raises(StoreError, match="width_rates none there, fan_in here"):
        named = asked["fan_in"].named_settings
        open_or_create_study(stores, plans["fan_in"], trials=3, data_root=planned[2], named=named)


def test_the_usual_ranges_and_values_written_out_are_the_usual_study(planned):
    usual = ("3e-5:3e-3:log", "1e-3:0.3:log", "0:0.3", "0:0.5", "64:256:64")
    written = dict(zip(TRAINING, usual, strict=True))
    written |= {"label_smoothing": "0", "attention_dropout": "0.0", "weight_average": "0"}
    assert make_plan(replace(REQUEST, **written), root=planned[2])[0] == planned[0]


@pytest.mark.lesson("L37")
@pytest.mark.parametrize(
    ("made", "asked", "words"),
    [
        (
            {},
            {"learning_rate": "1e-5:1e-3:log"},
            "learning_rate float 3e-05 to 0.003 log there, float 1e-05 to 0.001 log here",
        ),
        ({}, {"dropout": "0.3"}, "dropout float 0.0 to 0.5 there, 0.3 here"),
        ({}, {"label_smoothing": "0.1"}, "label_smoothing 0.0 there, 0.1 here"),
        ({}, {"label_smoothing": "0:0.1"}, "label_smoothing 0.0 there, float 0.0 to 0.1 here"),
        ({"learning_rate": "1e-4"}, {}, "learning_rate 0.0001 there, float 3e-05 to 0.003 log here"),
        ({"label_smoothing": "0:0.1"}, {}, "label_smoothing float 0.0 to 0.1 there, 0.0 here"),
        ({"batch_size": "32,64"}, {"batch_size": "32,128"}, "batch_size one of 32 64 there, one of 32 128 here"),
    ],
)
def test_a_study_of_other_ranges_is_not_continued_and_each_is_named(stores, planned, made, asked, words):
    first, second = (replace(REQUEST, study="mine", **each) for each in (made, asked))
    plans = [make_plan(each, root=planned[2])[0] for each in (first, second)]
    open_or_create_study(stores, plans[0], trials=2, data_root=planned[2], named=first.named_settings)
    with pytest.raises(StoreError) as refused:
        open_or_create_study(stores, plans[1], trials=2, data_root=planned[2], named=second.named_settings)
    assert f"as it was made, got {words}; repeat" in str(refused.value)


def test_one_value_that_no_option_names_stays_the_study_s_own(stores, planned):
    first, second = replace(REQUEST, study="mine", label_smoothing="0.1"), replace(REQUEST, study="mine")
    plans = [make_plan(each, root=planned[2])[0] for each in (first, second)]
    open_or_create_study(stores, plans[0], trials=2, data_root=planned[2], named=first.named_settings)
    assert open_or_create_study(stores, plans[1], trials=3, data_root=planned[2]).plan == plans[0]


def test_folds_are_the_whole_years_before_the_test_and_of_the_plan(planned):
    _, _, root = planned
    plan, _ = make_plan(replace(REQUEST, folds=3, seeds=2, patience=None), root=root)
    days = [str(getattr(plan.split, name)) for name in ("train_end", "validation_start", "validation_end")]
    assert days == ["2013-12-31", "2014-01-01", "2016-12-31"]
    assert plan.split.test_start == planned[0].split.test_start
    assert "-f3-k2-" in plan.study and (plan.n_folds, plan.n_seeds, plan.patience) == (3, 2, 0)
    spec = plan.spec(plan.grid().architectures[0], {})
    assert (spec.n_folds, spec.n_seeds, list(spec.seeds)) == (3, 2, [0, 1])
    same, _ = make_plan(
        replace(REQUEST, folds=3, seeds=2, patience=None, split="2013-12-31/2016-12-31/2018-12-31"), root=root
    )
    assert same == plan


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"folds": 14}, "with 4 whole years before them, of which there are 13, got 14; take --folds 13 or fewer"),
        (
            {"folds": 3, "split": "2014-12-31/2016-12-31/2018-12-31"},
            "must leave the 3 whole years before the test to the folds, .* --split 2013-12-31/2016-12-31/2018-12-31",
        ),
    ],
)
def test_folds_that_the_series_or_the_split_has_not_are_refused(planned, change, words):
    with pytest.raises(InputError, match=words):
        make_plan(replace(REQUEST, patience=None, **change), root=planned[2])
