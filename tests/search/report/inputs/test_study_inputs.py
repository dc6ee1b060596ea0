import json

import pandas as pd
import pytest

from model.baselines import BASELINES
from pipeline.exceptions import InputError
from search.report.inputs.study_inputs import read_study_inputs
from search.report.inputs.walked_trial import chosen_row
from search.results.holdout import OPENING
from search.trial.baselines import log_baselines
from search.walk_forward.runs import WalkForwardRun, walk_forward_params
from search.walk_forward.subject import Subject

QUICK = {name: BASELINES[name] for name in ("base_rate", "volatility_logistic", "logistic")}


@pytest.fixture
def study(make_trained, monkeypatch):
    monkeypatch.setattr("search.trial.baselines.BASELINES", QUICK)
    study = make_trained(3, 3)
    log_baselines(study)
    return study


@pytest.mark.slow
@pytest.mark.lesson("L9")
@pytest.mark.lesson("L22")
def test_it_holds_what_the_record_holds(study, alter):
    inputs = read_study_inputs(study)
    runs = {run.info.run_id: run for run in study.client.search_runs([study.experiment_id])}
    assert len(inputs.trials.names) == 3
    assert set(inputs.baselines.names) == {f"baseline {name}" for name in QUICK}
    for run_id, spec in inputs.specs.items():
        run = runs[run_id]
        assert spec.params() == {name: run.data.params[name] for name in spec.params()}
        curve = inputs.curves[inputs.curves["run_id"] == run_id]
        assert curve["loss"].tolist() == [point.value for point in study.client.get_metric_history(run_id, "val/loss")]
        mean = inputs.forecasts.losses_MD[inputs.forecasts.run_ids.index(run_id)].mean()
        assert mean == pytest.approx(run.data.metrics["best/loss"], abs=1e-6)
    (code,) = inputs.code
    assert code.split()[0] == runs[run_id].data.tags["git.commit"][:12]
    assert (inputs.target_trials, inputs.n_openings, inputs.walked) == (3, 0, None)
    assert inputs.libraries["torch"] == runs[run_id].data.tags["version.torch"]
    alter(run_id, "n_heads", "4")
    opening = {"model_version": "m/1", "opened_at": "2026-01-01", "commit": "unknown", "dirty": "unknown"}
    study.client.set_tag(study.run_id, f"{OPENING}1", json.dumps(opening))
    later = read_study_inputs(study)
    assert (len(later.trials.names), later.n_openings) == (2, 1)


def test_a_study_without_predictions_has_no_inputs(make_study):
    with pytest.raises(InputError, match="must have finished trials or baselines with predictions"):
        read_study_inputs(make_study(2))


@pytest.mark.slow
def test_a_walk_forward_is_known_by_its_spec(study):
    before = read_study_inputs(study)
    run_id = before.trials.run_ids[before.trials.best("trial")]
    subject = Subject(name="spec of a file", spec=before.specs[run_id])
    days = pd.DataFrame({"date": pd.bdate_range("2012-01-02", periods=300), "y": [0.0, 0.0, 1.0] * 100, "p": 0.3})
    params = walk_forward_params(study, subject, (2012, 2013), 1)
    WalkForwardRun.open(study, subject, params, []).conclude(days, days.head(1), {})
    inputs = read_study_inputs(study)
    assert inputs.walked.names == ("spec of a file",)
    assert inputs.walked_specs == {inputs.walked.run_ids[0]: before.specs[run_id].hash}
    assert chosen_row(inputs) == 0
