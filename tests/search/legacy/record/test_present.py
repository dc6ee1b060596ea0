import pytest

from search.legacy.record.present import legacy_runs, look_up
from search.tracking.stores import open_tracking
from search.tracking.tags import PARENT

STUDY = "[I 2025-12-12 00:00:00,000] A new study created in memory with name: phase6a_2M_h1_threshold_1pct\n"
START = (
    "[I 2025-12-13 03:51:{0:02d},140] Trial {0}: arch_idx=57, d_model=64, n_layers=48, params=2,414,273, lr=0.000100, "
    "epochs=50, batch_size=32\n"
)
FINISH = "Trial {0} finished with value: 0.34 and parameters: {{'arch_idx': 57}}.\n"
UNFINISHED = STUDY + START.format(0) + FINISH.format(0) + START.format(1)
GROWN = UNFINISHED + FINISH.format(1) + START.format(2)


@pytest.fixture
def client(stores):
    return open_tracking(stores)


@pytest.fixture
def trials(parse):
    """Trials of a log by number."""
    return lambda text: {trial.number: trial for trial in parse(text, "read.log")[0]}


def found(present, trial):
    """Number of the run that stands for a trial, and whether it is to be replaced."""
    run, replaced = present.find(trial)
    return run and run.data.tags["trial.number"], replaced


def test_a_trial_is_found_again_replaced_once_it_has_finished_and_new_if_it_is(importing, client, trials):
    importing(study__log=UNFINISHED)
    grown, present = trials(GROWN), look_up(client)
    assert [found(present, grown[number]) for number in (0, 1, 2)] == [("0", False), ("1", True), (None, False)]
    assert found(present, grown[1]) == (None, False), "one unfinished run is replaced once"


def test_an_unfinished_trial_whose_finished_run_is_there_is_present(importing, client, trials):
    importing(study__log=GROWN)
    assert found(look_up(client), trials(UNFINISHED)[1]) == ("1", False)


def test_a_run_that_was_interrupted_while_it_was_written_is_replaced(importing, client, trials):
    _, runs = importing(study__log=UNFINISHED)
    first = next(run for run in runs if run.data.tags.get("trial.number") == "0")
    client.update_run(first.info.run_id, status="RUNNING")
    assert found(look_up(client), trials(UNFINISHED)[0]) == ("0", True)


def test_a_parent_is_that_of_the_trials_or_of_the_same_source_and_none_in_another_experiment(importing, client):
    importing(study__log=UNFINISHED)
    present = look_up(client)
    ((parent_id, parent),) = present.parents.items()
    trials = list(present.by_fingerprint.values())
    experiment, source = parent.info.experiment_id, parent.data.tags["legacy.source"]
    assert {run.data.tags[PARENT] for run in trials} == {parent_id}
    assert present.parent(trials, "another source", experiment) is parent
    assert present.parent([], source, experiment) is parent
    assert present.parent(trials, "another source", "another experiment") is None


def test_only_imported_runs_that_were_not_deleted_are_read(importing, client, make_study):
    _, before = importing(study__log=UNFINISHED)
    make_study(1)
    deleted = next(run.info.run_id for run in before if "trial.number" in run.data.tags)
    client.delete_run(deleted)
    assert {run.info.run_id for run in legacy_runs(client)} == {run.info.run_id for run in before} - {deleted}
