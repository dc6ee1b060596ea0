from dataclasses import replace
from types import SimpleNamespace

import pytest

from model.spec.architecture import total_parameters
from model.spec.budget import Budget
from model.training.step_time import Pace
from search.hpo.dry_run import notes
from search.hpo.estimate import (
    EPOCH_SECONDS,
    PART_SECONDS,
    STARTS,
    TRIAL_SECONDS,
    Survey,
    does_not_fit,
    estimate,
    fit,
    pruned_a_trial,
    representatives,
    start_seconds,
    trials_mean,
)
from search.space.axes import Axes
from search.space.extremes import extremes
from search.space.grid import make_grid


@pytest.fixture(scope="module")
def grid():
    return make_grid(Budget(text="2M"), n_features=25)


def cost(a):
    return 2e-8 * total_parameters(a) + 1e-5 * a.n_layers * a.d_model


def test_representatives_hold_the_ends_of_the_grid(grid):
    found = representatives(grid.architectures)
    counts = [total_parameters(a) for a in grid.architectures]
    assert {min(counts), max(counts)} <= {total_parameters(a) for a in found}
    assert max(a.n_layers for a in found) == grid.limits()["n_layers"][1]
    assert len(set(found)) == len(found) == 4
    assert representatives([]) == []


def test_the_fit_finds_the_times_of_architectures_that_were_not_run(grid):
    predicted = fit([(a, cost(a)) for a in representatives(grid.architectures)])
    for a in grid.architectures:
        assert predicted(a) == pytest.approx(cost(a), rel=1e-6)


def test_no_share_of_a_fitted_time_is_negative(grid):
    by_depth = sorted(grid.architectures, key=lambda a: a.n_layers)
    predicted = fit([(a, 1.0 / (i + 1)) for i, a in enumerate(by_depth)])
    assert all(predicted(a) >= 0 for a in grid.architectures)


def test_a_short_study_tries_extremes_only_and_a_long_one_mostly_the_rest(grid):
    first = [cost(a) for a in extremes(grid)]
    rest = sum(map(cost, grid.architectures)) / len(grid.architectures)
    assert trials_mean(grid, cost, 4) == pytest.approx(sum(first[:4]) / 4)
    assert trials_mean(grid, cost, 1000) == pytest.approx(rest, rel=0.02)


def test_seconds_are_trials_times_epochs_times_steps_and_passes_by_workers(planned, monkeypatch):
    plan, _, _ = planned
    a = plan.grid().architectures[0]
    monkeypatch.setattr("search.hpo.estimate.fit", lambda measured: lambda architecture: measured[0][1])
    monkeypatch.setattr("search.hpo.estimate.count_cores", lambda: 2)
    pace = Pace(architecture=a, step_seconds=0.5, validation_seconds=3.0, measured_layers=1)
    found = Survey(
        n_fitting=1,
        memory_bytes=1,
        micro_batch=128,
        free_bytes=9,
        measured=(pace,),
    )
    windows = SimpleNamespace(train_rows=range(1000), x_NTF=SimpleNamespace(device=SimpleNamespace(type="cpu")))
    each = plan.max_epochs * (8 * 0.5 + 3.0)
    for trials, workers, at_once in ((10, 1, 1), (10, 2, 2), (10, 8, 2), (1, 2, 1)):
        how = {"trials": trials, "workers": workers, "windows": windows, "start_seconds": 3.0}
        result = estimate(plan, found, **how)
        assert (result.steps_per_epoch, result.at_once) == (8, at_once)
        assert result.seconds - result.on_top == pytest.approx(trials * each / at_once)
        starts = STARTS + -(-min(workers, trials) // 2)
        records = trials * (TRIAL_SECONDS + plan.max_epochs * EPOCH_SECONDS) / at_once
        assert result.on_top == pytest.approx(3.0 * starts + records)
        part = estimate(plan, found, **how, finished=trials - 1)
        assert (part.trials, part.finished) == (1, trials - 1)
        assert part.seconds - part.on_top == pytest.approx(each)
        for finished in (trials, trials + 3):
            done = estimate(plan, found, **how, finished=finished)
            assert (done.trials, done.seconds, done.on_top) == (0, 0.0, 0.0)


def test_a_fold_validates_its_own_year_and_each_training_is_recorded(planned, monkeypatch):
    plan = replace(planned[0], n_folds=8, n_seeds=2, patience=0)
    monkeypatch.setattr("search.hpo.estimate.fit", lambda measured: lambda architecture: measured[0][1])
    pace = Pace(architecture=plan.grid().architectures[0], step_seconds=0.5, validation_seconds=16.0, measured_layers=1)
    found = Survey(n_fitting=1, memory_bytes=1, micro_batch=128, free_bytes=9, measured=(pace,))
    rows = SimpleNamespace(train=range(1000), validation=range(8 * 100))
    device = SimpleNamespace(device=SimpleNamespace(type="cpu"))
    windows = SimpleNamespace(train_rows=range(1000), x_NTF=device, rows=rows)
    result = estimate(plan, found, trials=3, workers=1, windows=windows, start_seconds=1.0)
    assert result.steps_per_epoch == 11, "1,350 rows in the mean of eight folds, 128 at a time"
    assert result.seconds - result.on_top == pytest.approx(3 * 16 * plan.max_epochs * (11 * 0.5 + 16.0 / 8))
    a_training = PART_SECONDS + plan.max_epochs * EPOCH_SECONDS
    assert result.on_top == pytest.approx(STARTS + 1 + 3 * (TRIAL_SECONDS + 16 * a_training))
    forced = len(extremes(plan.grid()))
    how = {"workers": 1, "windows": windows, "start_seconds": 1.0}
    plain, pruned = (estimate(plan, found, trials=forced + 10, pruned=each, **how) for each in (False, True))
    assert pruned.seconds - STARTS - 1 == pytest.approx(
        (plain.seconds - STARTS - 1) * (forced + 10 + 10 * pruned_a_trial(plan) * 2 / 8) / (forced + 10)
    )
    for trials, finished, folds in ((forced, 0, 8), (forced + 10, forced + 10, 8), (forced + 10, 0, 2)):
        own = {"trials": trials, "finished": finished, **how}
        few = replace(plan, n_folds=folds)
        assert estimate(few, found, pruned=True, **own).seconds == estimate(few, found, **own).seconds
    assert pruned_a_trial(plan) == 2.5 and pruned_a_trial(replace(plan, offset="distribution_linear")) == 0.3
    said = " ".join(notes([result]))
    assert "trials left x 8 folds x 2 seeds x" in said and "do not count" in said and "upper bound" not in said


def test_what_fits_needs_no_words():
    assert does_not_fit(Survey(n_fitting=1, memory_bytes=1, micro_batch=8, free_bytes=9, measured=())) == ""


@pytest.mark.slow
def test_a_start_takes_time():
    assert start_seconds() > 0.3


def test_tokens_count_where_the_window_is_searched():
    axes = Axes(context_length=(20, 60), patch_length=(5,), stride=(5,))
    grid = make_grid(Budget(text="2M"), n_features=25, axes=axes)
    found = representatives(grid.architectures)
    assert max(grid.architectures, key=lambda a: (a.n_tokens, a.n_layers)) in found and len(found) == 5
    predicted = fit([(a, a.n_tokens * cost(a)) for a in found])
    for a in grid.architectures:
        assert predicted(a) == pytest.approx(a.n_tokens * cost(a), rel=1e-6)
