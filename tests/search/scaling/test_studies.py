import json
from dataclasses import replace

import numpy as np
import pytest

from model.spec.budget import Budget
from pipeline.exceptions import InputError
from search.scaling.studies import differences, points_of, scaling_of
from search.scaling.text import scaling_to_dict
from search.scaling.verdict import verdict_of
from search.space.axes import AXIS_NAMES, axis_text
from search.space.grid import make_grid
from search.space.ranks import SearchSpace
from search.study.named_values import read_values, write_values

QUICK = ("--resamples", "200")


@pytest.fixture
def of_budget(make_study, planned, run_trials):
    """A study of another budget of the tiny plan, with so many trials."""

    def make(budget, trials, **changed):
        grid = make_grid(Budget(text=budget), n_features=planned[0].n_features)
        axes = {f"{name}_axis": axis_text(getattr(grid.axes, name)) for name in AXIS_NAMES}
        hashes = {"grid_hash": grid.hash, "space_hash": SearchSpace(grid).hash}
        named = {"study": f"S-{budget}", "budget": budget, **hashes, **axes, **changed}
        return run_trials(make_study(trials, **named), trials)

    return make


@pytest.mark.slow
@pytest.mark.lesson("L9")
def test_points_are_what_the_record_holds_and_a_record_that_is_not_valid_stays_out(of_budget, alter):
    larger, smaller = of_budget("10K", 1), of_budget("5K", 2)
    points = points_of([larger, smaller])
    assert (points.budgets, points.counts) == (("5K", "10K"), (2, 1))
    run_ids = [t.user_attrs["run_id"] for study in (smaller, larger) for t in study.finished()]
    metrics = [larger.client.get_run(run_id).data.metrics for run_id in run_ids]
    assert points.n_params_T.tolist() == [each["hp/n_params"] for each in metrics]
    assert points.loss_T == pytest.approx([each["best/loss"] for each in metrics], abs=1e-6)
    alter(run_ids[0], "learning_rate", "many")
    assert points_of([larger, smaller]).counts == (1, 1)


@pytest.mark.lesson("L7")
def test_studies_of_another_forecast_are_refused_with_the_difference(make_study, planned):
    plan = planned[0]
    first = make_study(1, study="A")
    other = make_study(1, study="B", target=replace(plan.target, horizon=3), offset="logistic")
    with pytest.raises(InputError, match=r"horizon 1 there, 3 here; offset none there, logistic here"):
        points_of([first, other])
    with pytest.raises(InputError, match="once each, at least one, got A, A"):
        points_of([first, first])
    with pytest.raises(InputError, match="got none"):
        points_of([])


@pytest.mark.slow
def test_the_command_says_the_verdict_and_what_it_cannot_tell(of_budget, command):
    studies = [of_budget("5K", 1), of_budget("10K", 2)]
    code, out, err = command("scaling", "S-10K", "S-5K", *QUICK)
    assert (code, err) == (0, "")
    expected = scaling_of(studies, n_resamples=200)
    assert verdict_of(expected) in out
    assert "1 of 2" in out and "two budgets can't tell a floor E from a slope" in out
    code, out, _ = command("scaling", "S-5K", "S-10K", *QUICK, "--json")
    assert code == 0
    assert json.loads(out) == scaling_to_dict(expected)
    assert np.isfinite(json.loads(out)["change"]["value"])


def test_windows_follow_the_budget_as_other_axes_do_and_ranges_and_settings_do_not(planned):
    plan = planned[0]
    other = {"context_length": "20 60", "patch_length": "5", "width_rates": "fan_in"}
    windows = replace(plan, fixed_settings=write_values({**read_values(plan.fixed_settings), **other}))
    assert differences(plan, windows) == []
    fixed = write_values({**read_values(plan.fixed_settings), "dropout": "0.3", "beta2": "0.9"})
    ranges = {name: text for name, text in read_values(plan.search_ranges).items() if name != "dropout"}
    changed = replace(plan, fixed_settings=fixed, search_ranges=write_values(ranges))
    assert sorted(differences(plan, changed)) == [
        "beta2 0.95 there, 0.9 here",
        "dropout float 0.0 to 0.5 there, 0.3 here",
    ]
