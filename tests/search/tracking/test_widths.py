from types import SimpleNamespace

import pytest
from mlflow import MlflowClient

from pipeline.exceptions import InputError
from search.legacy.record.importer import experiment_name
from search.tracking import widths
from search.tracking.run import RunWriter
from search.tracking.widths import CUT, cut, require_room

COLUMNS = {
    ("runs", "name"): widths.RUN_NAME,
    ("experiments", "name"): widths.EXPERIMENT_NAME,
    ("tags", "value"): widths.RUN_TAG,
    ("registered_models", "description"): widths.DESCRIPTION,
    ("model_versions", "description"): widths.DESCRIPTION,
    ("registered_model_tags", "value"): widths.MODEL_TAG,
    ("experiment_tags", "value"): None,
    ("model_version_tags", "value"): None,
}


def test_a_text_that_has_room_stays_and_another_says_that_it_was_cut():
    assert cut("a" * 20, 20) == "a" * 20
    assert cut("a" * 21, 20) == "a" * (20 - len(CUT)) + CUT and len(cut("a" * 21, 20)) == 20


@pytest.mark.slow
def test_columns_of_a_real_database_are_as_wide_as_is_said(tracking_server):
    asked = (
        "SELECT character_maximum_length FROM information_schema.columns WHERE table_name = '{}' AND column_name = '{}'"
    )
    for (table, column), width in COLUMNS.items():
        ((held,),) = tracking_server.postgres.ask(asked.format(table, column), database=tracking_server.database)
        assert held == width, (table, column)


@pytest.mark.slow
def test_what_somebody_wrote_is_cut_to_what_a_real_database_holds(tracking_server):
    client, long = MlflowClient(tracking_server.url), "word " * 3000
    trial = SimpleNamespace(form="wandb", study=long)
    name = experiment_name(trial, None)
    other = experiment_name(SimpleNamespace(form="wandb", study=f"{long}b"), None)
    assert len(name) == len(other) == 255 < widths.EXPERIMENT_NAME and name != other, "a folder has room for 255"
    experiment = client.create_experiment(name)
    writer = RunWriter.create(client, experiment, long, role="launcher", tags={"made": long})
    writer.resume(long, {"set": long})
    run = client.get_run(writer.run_id)
    assert len(run.info.run_name) == widths.RUN_NAME and run.info.run_name.endswith(CUT)
    for tag in ("made", "set"):
        assert len(run.data.tags[tag]) == widths.RUN_TAG and run.data.tags[tag].endswith(CUT)
    client.delete_experiment(experiment)


def test_a_param_that_no_run_can_hold_is_refused_by_name():
    require_room({"seed": "7", "pooled": "a" * widths.PARAM})
    with pytest.raises(InputError, match=r"at most, which is what MLflow holds, got pooled of 6,001; name fewer"):
        require_room({"seed": "7", "pooled": "a" * (widths.PARAM + 1)})
