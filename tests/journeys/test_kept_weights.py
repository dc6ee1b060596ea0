"""A study keeps the weights of its best trials while it runs, whoever is killed when."""

import sqlite3

import pytest

from search.study.study import load_study
from search.tracking.artifacts import DELETED, checkpoint_bytes
from tests.killed_between import KILLED_BETWEEN

OPTIONS = ["--budget", "5K", "--tier", "r25", "--max-epochs", "1", "--patience", "1", "--workers", "2"]
COMMAND = ["hpo", "--trials", "6", "--study", "kept", "--pruner", "none", *OPTIONS]
BEST = ["--keep", "2"]

pytestmark = pytest.mark.slow


def kept(stores, name="kept"):
    """Trials by loss, each with whether its weights are there and what its run says of them."""
    study = load_study(stores, name)
    runs = [study.client.get_run(t.user_attrs["run_id"]) for t in sorted(study.finished(), key=lambda t: t.value)]
    return [(checkpoint_bytes(study.client, run) is not None, run.data.tags.get(DELETED)) for run in runs]


@pytest.mark.lesson("L29")
@pytest.mark.lesson("L39")
def test_a_kill_in_the_middle_of_a_deletion_loses_nothing_and_the_same_command_ends_it(launch, stores, command):
    process = launch(*COMMAND, *BEST, program=("-c", KILLED_BETWEEN.format(when="before")))
    assert process.wait() == -9, process.stdout.read()
    out = command("verify")[1]
    assert "artifacts of kept" in out and "is gone" not in out
    again = launch(*COMMAND, *BEST)
    assert again.wait() == 0, again.stdout.read()
    found = kept(stores)
    assert [there for there, _ in found] == [True] * 2 + [False] * 4
    assert [said is None or said.endswith("not among the best 2") for _, said in found] == [True] * 6
    out = command("verify")[1]
    assert "; weights of 4 trials were let go on purpose" in out and "is gone" not in out
    assert "weights of the best 2 are kept, those of 4 of 6 were let go" in command("audit", "kept")[1]
    said = load_study(stores, "kept")
    assert said.client.get_run(said.run_id).data.tags["study.keep"] == "2"


def test_an_older_study_goes_on_and_keeps_all_as_it_did(make_trained, launch, home, stores):
    name = make_trained(6, 6).plan.study
    with sqlite3.connect(home / "mlruns" / "optuna.db") as schedule:
        schedule.execute("DELETE FROM study_user_attributes WHERE key = 'keep'")
    schedule.close()
    assert load_study(stores, name).keep is None
    for more, there in (([], 7), (["--keep", "3"], 3)):
        process = launch("hpo", "--trials", "7", "--pruner", "none", *OPTIONS, *more)
        assert process.wait() == 0, process.stdout.read()
        assert [there for there, _ in kept(stores, name)] == [True] * there + [False] * (7 - there)
