"""A study's plan by its name: from its schedule, from its run, and nowhere."""

import optuna

from search.study.stored_plan import stored_plan
from search.tracking.database import database_of
from search.tracking.stores import open_storage


def test_it_is_read_from_the_schedule_and_where_that_is_lost_from_the_run(make_study, stores, planned):
    make_study(1)
    assert stored_plan(stores, planned[0].study) == planned[0]
    assert stored_plan(stores, "another") is None
    optuna.delete_study(study_name=planned[0].study, storage=open_storage(stores))
    assert stored_plan(stores, planned[0].study) == planned[0]


def test_where_there_is_no_store_none_is_made(stores, planned):
    for uri in (stores.tracking_uri, stores.storage_uri):
        database_of(uri).unlink(missing_ok=True)
    assert stored_plan(stores, planned[0].study) is None
    assert not any(database_of(uri).exists() for uri in (stores.tracking_uri, stores.storage_uri))
