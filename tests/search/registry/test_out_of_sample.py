import numpy as np
import pandas as pd
import pytest

from model.baselines import BASELINES
from pipeline.exceptions import RecordError
from search.artifacts import fetch_artifact
from search.registry.chosen import choose_trial
from search.registry.out_of_sample import claim_of_trial, claim_of_version, store_claim
from search.registry.versions import find_version
from search.walk_forward.runs import Settings, WalkForwardRun, walk_forward_params
from search.walk_forward.subject import Subject

MODEL = "patchscale-^GSPC-h1"


@pytest.fixture
def walked(study):
    """Write finished walk-forwards of constructed forecasts into the record."""

    def write(subject, first, last, seed=0):
        dates = pd.bdate_range(f"{first}-01-01", f"{last}-12-31")
        y = (np.random.default_rng(9).random(len(dates)) < 0.2).astype(float)
        p = np.random.default_rng(seed).uniform(0.1, 0.3, len(dates))
        days = pd.DataFrame({"date": dates, "year": dates.year, "y": y, "p": p, "p_seed0": p})
        params = walk_forward_params(study, subject, Settings(first_year=first, last_year=last, seeds=1))
        run = WalkForwardRun.open(study, subject, params, [])
        run.conclude(days, pd.DataFrame({"year": [first]}), {})
        return run.run_id, days

    return write


def test_without_a_walk_forward_the_validation_days_are_the_evidence(study):
    chosen = choose_trial(study)
    claim = claim_of_trial(study, chosen, "m/1")
    assert claim.source == f"validation of trial {chosen.trial.number} of study tiny, one of 3 compared on it"
    assert (len(claim.dates_D), claim.search_losses_MD.shape, claim.unchosen_D) == (503, (3, 503), None)
    assert claim.baseline == claim.benchmark and claim.baseline.startswith("baseline ")
    assert -np.log(np.where(claim.y_D == 1, claim.p_baseline_D, 1 - claim.p_baseline_D)).mean() == pytest.approx(
        claim.benchmark_losses_D.mean()
    )


def test_a_walk_forward_of_the_very_spec_takes_its_place_and_the_search_stays(study, walked):
    chosen = choose_trial(study)
    alone = claim_of_trial(study, chosen, "m/1")
    run_id, days = walked(Subject(name="trial", spec=chosen.spec), 2010, 2016)
    assert claim_of_trial(study, chosen, "m/1").source == alone.source, "no baseline beside it yet"
    walked(Subject(name="baseline logistic", baseline=BASELINES["logistic"]), 2010, 2016, seed=1)
    claim = claim_of_trial(study, chosen, "m/1")
    assert (
        claim.source == f"walk-forward 2010 to 2016, run {run_id[:8]}; on 522 of its days the spec was chosen, left out"
    )
    assert (claim.p_D == days["p"]).all() and claim.baseline == "baseline logistic"
    assert claim.on_unchosen().dates_D[-1] < pd.Timestamp("2015-01-01")
    assert (claim.search_losses_MD == alone.search_losses_MD).all() and claim.benchmark == alone.benchmark
    other = choose_trial(study, next(t.number for t in study.finished() if t.number != chosen.trial.number))
    assert claim_of_trial(study, other, "m/2").source.startswith("validation of trial")


def test_a_stored_claim_reads_back_and_a_lost_one_is_named(study):
    version = find_version(study.client, f"{MODEL}/1")
    claim = claim_of_version(study.client, version)
    chosen = choose_trial(study)
    assert (claim.p_D == claim_of_trial(study, chosen, "m").p_D).all()
    assert (claim.name, claim.horizon) == (f"{MODEL}/1", 1)
    path = fetch_artifact(study.client, study.client.get_run(version.run_id), "evidence/predictions.parquet", None)
    path.unlink()
    with pytest.raises(
        RecordError, match=r"must keep its out-of-sample predictions, evidence/predictions.parquet of run"
    ):
        claim_of_version(study.client, version)
    store_claim(study.client, version.run_id, claim_of_trial(study, chosen, "m"))
    assert (claim_of_version(study.client, version).p_D == claim.p_D).all()
