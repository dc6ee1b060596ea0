import json
from dataclasses import replace

import pytest

from model.windows import make_windows
from pipeline.datasets.drift import drift_report
from search.trial.inputs import dataset_entities, log_data, pooled_entities

PARTS = ["train", "validation", "test"]


@pytest.fixture
def windows(planned):
    plan, dataset, _ = planned
    return make_windows(dataset, plan.target, plan.split, 60)


@pytest.mark.lesson("L35")
def test_the_study_s_run_shows_its_data_once(make_study, planned, windows):
    study, dataset = make_study(1), planned[1]
    for _ in range(2):
        log_data(study, dataset)
    run = study.client.get_run(study.run_id)
    inputs = {entered.tags[0].value: entered.dataset for entered in run.inputs.dataset_inputs}
    assert sorted(inputs) == sorted(PARTS) and len(run.inputs.dataset_inputs) == 3
    assert {each.digest for each in inputs.values()} == {dataset.digest}
    metrics = run.data.metrics
    assert [metrics[f"data/days_{name}"] for name in PARTS] == [len(windows.rows.parts[name]) for name in PARTS]
    assert len(study.client.get_metric_history(study.run_id, "data/days_train")) == 1
    for name in ("train", "validation"):
        assert metrics[f"data/base_rate_{name}"] == pytest.approx(windows.outcomes(windows.rows.parts[name]).mean())
    assert run.data.tags["data.warnings"] == str(len(dataset.warnings))
    shifted = drift_report(dataset, windows.rows).shifted
    assert run.data.tags["data.shifted"] == (", ".join(shifted) or "none")
    assert {each.path for each in study.client.list_artifacts(study.run_id, "data")} >= {
        "data/drift.csv",
        "data/drift.md",
    }


@pytest.mark.lesson("L22")
def test_base_rates_of_sealed_days_are_not_looked_at(make_study, planned):
    study = make_study(1)
    log_data(study, planned[1])
    run = study.client.get_run(study.run_id)
    assert "data/base_rate_test" not in run.data.metrics
    profiles = {
        entered.tags[0].value: json.loads(entered.dataset.profile)["base_rate"] for entered in run.inputs.dataset_inputs
    }
    assert profiles["test"] == "sealed" and 0 < profiles["train"] < 1


def test_each_part_s_entity_spans_its_own_days(planned, windows):
    plan, dataset, root = planned
    split = plan.split
    entities = dict(dataset_entities(dataset, root, windows))
    assert list(entities) == PARTS
    for name, first, last in (
        ("train", split.train_start, split.train_end),
        ("validation", split.validation_start, split.validation_end),
        ("test", split.test_start, split.test_end),
    ):
        profile = entities[name].profile
        assert str(first) <= profile["first_date"] < profile["last_date"] <= str(last)
        assert profile["num_rows"] == len(windows.rows.parts[name])


@pytest.mark.lesson("L22")
def test_another_ticker_is_entered_with_its_training_days_and_not_at_all_without_one(planned):
    plan, dataset, root = planned
    late = replace(dataset, frame=dataset.frame.loc[str(plan.split.validation_start) :])
    ((context, entity),) = pooled_entities((dataset, late), root, plan.target, plan.split, 60)
    assert (context, entity.name) == ("train", f"{dataset.ticker}-{dataset.tier}-train")
    assert entity.profile["last_date"] <= str(plan.split.train_end)
