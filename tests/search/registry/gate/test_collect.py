import numpy as np
import pandas as pd
import pytest

from model.baselines import BASELINES
from pipeline.exceptions import RecordError
from search.registry.gate.collect import store_track_record, track_record_of_trial, track_record_of_version
from search.registry.packaging.best_trial import choose_trial
from search.registry.register import RegisterRequest, track_record_of_request
from search.registry.versions.versions import find_version
from search.tracking.artifacts import fetch_artifact
from search.walk_forward.runs import WalkForwardRun, walk_forward_params
from search.walk_forward.subject import Subject

MODEL = "patchscale-^GSPC-h1"


@pytest.fixture
def walked(study):
    """Write finished walk-forwards of constructed forecasts into the record."""

    def write(subject, first, last, seed=0, seeds=1):
        dates = pd.bdate_range(f"{first}-01-01", f"{last}-12-31")
        y = (np.random.default_rng(9).random(len(dates)) < 0.2).astype(float)
        p_SD = np.random.default_rng(seed).uniform(0.1, 0.3, (seeds, len(dates)))
        days = pd.DataFrame({"date": dates, "year": dates.year, "y": y, "p": p_SD.mean(axis=0)})
        days = days.assign(**{f"p_seed{number}": p_D for number, p_D in enumerate(p_SD)})
        params = walk_forward_params(study, subject, (first, last), seeds)
        run = WalkForwardRun.open(study, subject, params, [])
        run.conclude(days, pd.DataFrame({"year": [first]}), {})
        return run.run_id, days

    return write


def test_without_a_walk_forward_the_validation_days_are_the_evidence(study):
    best = choose_trial(study)
    track_record = track_record_of_trial(study, best, "m/1", n_members=1)
    assert track_record.source == f"validation of trial {best.trial.number} of study tiny, one of 3 compared on it"
    assert (len(track_record.dates_D), track_record.search_losses_MD.shape, track_record.unchosen_D) == (
        503,
        (3, 503),
        None,
    )
    assert track_record.baseline == track_record.benchmark and track_record.baseline.startswith("baseline ")
    assert -np.log(
        np.where(track_record.y_D == 1, track_record.p_baseline_D, 1 - track_record.p_baseline_D)
    ).mean() == pytest.approx(track_record.benchmark_losses_D.mean())


def walk_baselines(walked, first, last, leave_out=()):
    for seed, (name, baseline) in enumerate(BASELINES.items(), start=1):
        if name not in leave_out:
            walked(Subject(name=f"baseline {name}", baseline=baseline), first, last, seed=seed)


def test_a_walk_forward_of_the_very_spec_takes_its_place_and_the_search_stays(study, walked):
    best = choose_trial(study)
    alone = track_record_of_trial(study, best, "m/1", n_members=1)
    run_id, days = walked(Subject(name="trial", spec=best.spec), 2010, 2016)
    walk_baselines(walked, 2010, 2016)
    track_record = track_record_of_trial(study, best, "m/1", n_members=1)
    assert track_record.source == (
        f"walk-forward 2010 to 2016, run {run_id[:8]}, one seed; on 522 of its days the spec was chosen, left out"
    )
    assert track_record.walked and not alone.walked
    assert (track_record.p_D == days["p"]).all() and track_record.baseline.removeprefix("baseline ") in BASELINES
    assert track_record.on_unchosen().dates_D[-1] < pd.Timestamp("2015-01-01")
    assert (track_record.search_losses_MD == alone.search_losses_MD).all() and track_record.benchmark == alone.benchmark
    other = choose_trial(study, next(t.number for t in study.finished() if t.number != best.trial.number))
    assert track_record_of_trial(study, other, "m/2", n_members=1).source.startswith("validation of trial")


@pytest.mark.lesson("L23")
def test_the_best_baseline_is_unknown_until_every_one_was_walked_forward(study, walked):
    best = choose_trial(study)
    walked(Subject(name="trial", spec=best.spec), 2010, 2014)
    last = list(BASELINES)[-1]
    walk_baselines(walked, 2010, 2014, leave_out=(last,))
    walked(Subject(name=f"baseline {last}", baseline=BASELINES[last]), 2010, 2013)
    track_record = track_record_of_trial(study, best, "m/1", n_members=1)
    assert track_record.walked and track_record.p_baseline_D is None and track_record.baseline == ""
    assert f"missing {last}; " in track_record.baseline_missing
    assert track_record.baseline_missing.endswith(
        "patchscale walkforward baselines --study tiny --first-year 2010 --last-year 2014"
    )
    walked(Subject(name=f"baseline {last}", baseline=BASELINES[last]), 2010, 2014)
    track_record = track_record_of_trial(study, best, "m/1", n_members=1)
    assert track_record.baseline and not track_record.baseline_missing


@pytest.mark.lesson("L24")
@pytest.mark.parametrize(("years", "days"), [((2012, 2014), 783), ((2015, 2016), 0), ((2012, 2016), 783)])
def test_a_short_walk_forward_or_one_of_the_validation_years_is_no_evidence(study, walked, years, days):
    best = choose_trial(study)
    alone = track_record_of_trial(study, best, "m/1", n_members=1)
    run_id, _ = walked(Subject(name="trial", spec=best.spec), *years)
    walk_baselines(walked, *years)
    track_record = track_record_of_trial(study, best, "m/1", n_members=1)
    assert not track_record.walked and (track_record.p_D == alone.p_D).all()
    assert track_record.source == (
        f"{alone.source}; the walk-forward {years[0]} to {years[1]}, run {run_id[:8]} was too short: {days} of its "
        "days did not choose the spec, at least 1,000 are needed"
    )


def test_of_several_walk_forwards_the_most_days_count_then_the_most_seeds(study, walked):
    best = choose_trial(study)
    subject = Subject(name="trial", spec=best.spec)
    walked(subject, 2010, 2014, seeds=3)
    longest, _ = walked(subject, 2009, 2014, seeds=1)
    walked(subject, 2010, 2016, seeds=3)
    assert f"run {longest[:8]}, one seed" in track_record_of_trial(study, best, "m/1", n_members=1).source
    seeded, _ = walked(subject, 2009, 2014, seeds=2)
    assert f"run {seeded[:8]}, one seed" in track_record_of_trial(study, best, "m/1", n_members=1).source
    newest, _ = walked(subject, 2009, 2014, seeds=2)
    assert f"run {newest[:8]}, one seed" in track_record_of_trial(study, best, "m/1", n_members=1).source


def test_a_version_is_judged_with_no_more_seeds_than_it_has_members(study, walked):
    best = choose_trial(study)
    _, days = walked(Subject(name="trial", spec=best.spec), 2010, 2014, seeds=3)
    for n_members, n_seeds, words in ((1, 1, "one seed"), (2, 2, "mean of 2 seeds"), (5, 3, "mean of 3 seeds")):
        track_record = track_record_of_trial(study, best, "m/1", n_members=n_members)
        assert np.allclose(
            track_record.p_D, days[[f"p_seed{seed}" for seed in range(n_seeds)]].mean(axis=1), atol=1e-12
        )
        assert words in track_record.source


@pytest.mark.lesson("L10")
def test_a_registration_is_judged_with_the_members_that_it_will_have(shop, study, walked, console):
    best = choose_trial(study)
    walked(Subject(name="trial", spec=best.spec), 2010, 2014, seeds=3)
    for request, words in ((RegisterRequest(as_is=True), "one seed"), (RegisterRequest(), "mean of 3 seeds")):
        assert words in track_record_of_request(shop, study, best, request, console).source


def test_a_stored_track_record_reads_back_and_a_lost_one_is_named(study):
    version = find_version(study.client, f"{MODEL}/1")
    track_record = track_record_of_version(study.client, version)
    best = choose_trial(study)
    assert (track_record.p_D == track_record_of_trial(study, best, "m", n_members=1).p_D).all()
    assert (track_record.name, track_record.horizon) == (f"{MODEL}/1", 1)
    path = fetch_artifact(study.client, study.client.get_run(version.run_id), "evidence/predictions.parquet", None)
    path.unlink()
    with pytest.raises(
        RecordError, match=r"must keep its out-of-sample predictions, evidence/predictions.parquet of run"
    ):
        track_record_of_version(study.client, version)
    store_track_record(study.client, version.run_id, track_record_of_trial(study, best, "m", n_members=1))
    assert (track_record_of_version(study.client, version).p_D == track_record.p_D).all()
