import pytest

from search.audit.status import study_states
from search.legacy.record.states import legacy_states
from search.tracking.stores import open_tracking

STUDY = {
    "experiment": "phase6a_2M_h1_threshold_1pct",
    "trials": [
        {"trial_number": 0, "value": 0.34, "n_heads": 8},
        {"trial_number": 1, "value": 0.33},
        {"trial_number": 2, "value": float("inf")},
    ],
}
UNNAMED = [{"number": 0, "value": 0.71, "params": {"n_heads": 4}}]


def test_each_imported_study_is_counted(importing, stores):
    importing(study__json=STUDY, unnamed__json=UNNAMED)
    named, unnamed = legacy_states(open_tracking(stores))
    assert (named["study"], named["imported"], named["n_heads_unknown"]) == ("phase6a_2M_h1_threshold_1pct", 3, 2)
    assert (named["best_loss"], named["state"]) == (0.33, "imported")
    assert (unnamed["imported"], unnamed["n_heads_unknown"], unnamed["best_loss"]) == (1, 0, None)
    assert named["issues"] == ["3 imported trials", "n_heads unknown in 2 imported trials"]
    assert unnamed["issues"] == ["1 imported trials"]
    assert study_states(stores)[0]["study"] == named["study"], "imported studies are rows of the status table"


def test_what_all_trials_say_alike_is_said_and_the_rest_is_unknown(importing, stores):
    importing(study__json=STUDY, unnamed__json=UNNAMED)
    named, unnamed = legacy_states(open_tracking(stores))
    assert (named["budget"], named["horizon"], named["imported_finished"], named["sources"]) == (
        "2M",
        1,
        2,
        "study.json",
    )
    assert not {"budget", "horizon", "target"} & set(unnamed)
    assert unnamed["study"].endswith("/unnamed.json")


@pytest.mark.lesson("L45")
def test_the_loss_of_a_mixed_study_is_no_best(importing, stores):
    new = "A new study created in memory with name: phase6a_2M_h{}\n"
    line = "Trial 0: arch_idx=57, d_model=64, n_layers=48, params=2,414,273, lr=0.000100, epochs=50, batch_size=32\n"
    importing(late__log=new.format(1) + line + new.format(3) + "Trial 0 finished with value: 0.1 and parameters: {}.\n")
    [state] = legacy_states(open_tracking(stores))
    assert (state["best_loss"], state["mixed"]) == (None, 1)
    assert state["issues"][-1] == "1 of mixed studies, kept out of comparisons"


def test_an_empty_record_has_none(stores):
    assert legacy_states(open_tracking(stores)) == []


@pytest.mark.slow
def test_an_interrupted_import_says_so(importing, stores):
    importing(study__json=STUDY)
    client = open_tracking(stores)
    [state] = legacy_states(client)
    client.update_run(state["run_id"], status="RUNNING")
    [state] = legacy_states(client)
    assert state["issues"][-1] == "import interrupted: repeat it"
