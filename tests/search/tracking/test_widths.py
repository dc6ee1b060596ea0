import pytest

from search.tracking import widths
from search.tracking.widths import CUT, cut

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
