import json

import pytest

from pipeline.exceptions import StoreError
from search.audit.imported import audit_imported, imported_in_words
from search.legacy.record.importer import import_files, parse_files
from search.tracking.stores import open_tracking

STUDY = {
    "experiment": "phase6a_2M_h1_threshold_1pct",
    "trials": [
        {"trial_number": 0, "value": 0.34, "n_heads": 8, "d_model": 64},
        {"trial_number": 1, "value": 0.33, "d_model": 64},
        {"trial_number": 2, "value": None, "state": "RUNNING"},
    ],
}


@pytest.fixture
def client(stores, tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    (tmp_path / "a" / "study.json").write_text(json.dumps(STUDY))
    import_files(stores, parse_files([tmp_path / "a" / "study.json"]))
    return open_tracking(stores)


def test_what_sources_say_and_what_they_do_not(client):
    found = audit_imported(client, STUDY["experiment"])
    assert (found["trials"], found["finished"], found["target"], found["extremes"]) == (3, 2, None, None)
    assert found["values"] == {"d_model": {64: 2}, "n_layers": {}, "n_heads": {8: 1}, "d_ff": {}}
    assert found["missing"] == ["1 trial unfinished in the source"]
    assert "n_heads of 2 of 3 trials" in found["unknown"]
    lines = imported_in_words(found)
    assert "imported from study.json; 2 of 3 trials finished" in lines[0]
    assert "  n_layers    unknown" in lines and lines[-1] == "  1 trial unfinished in the source"


def test_it_is_found_by_name_and_by_id_and_not_where_it_is_not(client):
    run_id = audit_imported(client, STUDY["experiment"])["run_id"]
    assert audit_imported(client, run_id)["run_id"] == audit_imported(client, run_id[:8])["run_id"] == run_id
    assert audit_imported(client, "nobody's") is None


def test_two_of_a_name_are_told_apart_by_their_folder_and_else_asked_for(client, stores, tmp_path):
    other = {**STUDY, "trials": [{"trial_number": 0, "value": 0.5}]}
    (tmp_path / "b" / "study.json").write_text(json.dumps(other))
    import_files(stores, parse_files([tmp_path / "b" / "study.json"]))
    assert audit_imported(client, STUDY["experiment"])["trials"] == 3
    assert audit_imported(client, f"b/{STUDY['experiment']}")["trials"] == 1
    for run in client.search_runs([e.experiment_id for e in client.search_experiments()]):
        if run.data.tags["run.role"] == "legacy-study":
            client.update_run(run.info.run_id, name="other")
    with pytest.raises(StoreError, match="must be that of one imported study"):
        audit_imported(client, STUDY["experiment"])
