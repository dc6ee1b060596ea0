from dataclasses import asdict, replace

import pytest

from pipeline.exceptions import InputError
from pipeline.sources import open_source
from pipeline.splits.base_rates import base_rates
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
