"""The weights of trials that lost go from a server too, through its own interface, and its other commands know why."""

import sys

import pytest
from mlflow import MlflowClient

from tests.killed_between import KILLED_BETWEEN

OPTIONS = ["--budget", "5K", "--tier", "r25", "--max-epochs", "1", "--patience", "1", "--workers", "2"]
BEST = ["--pruner", "none", "--keep", "2", *OPTIONS]
WEIGHTS = "best.safetensors"


def kept(tracking_server, study):
    """Trials by loss, each with whether the server has its weights and what its run says of them."""
    client = MlflowClient(tracking_server.url)
    experiments = [each.experiment_id for each in client.search_experiments()]
    query = f"tags.`study.name` = '{study}' and tags.`run.role` = 'trial' and attributes.status = 'FINISHED'"
    runs = client.search_runs(experiments, query, order_by=["metrics.`best/loss`"])
    return [(WEIGHTS in {each.path for each in client.list_artifacts(run.info.run_id)}, run.data.tags) for run in runs]


@pytest.mark.lesson("L29")
def test_losers_weights_go_from_a_server_also_after_a_kill_in_between(machine, tracking_server):
    first, second = machine("first"), machine("second")
    for trials, when in (("3", "before"), ("4", "after")):
        asked = ["hpo", "--study", "kept", *BEST, "--trials", trials]
        killed = [sys.executable, "-c", KILLED_BETWEEN.format(when=when), *asked, "--workers", "1"]
        process = first.start_program(killed, interpreter=False)
        out, _ = process.communicate()
        assert process.returncode == -9, out
        assert "is gone" not in second.run("verify", code=None)
        first.run(*asked)
        there = [there for there, _ in kept(tracking_server, "kept")]
        assert there == [True] * 2 + [False] * (int(trials) - 2), "though no trial ran any more"
    found = kept(tracking_server, "kept")
    assert [there for there, _ in found] == [True] * 2 + [False] * 2
    said = [tags.get("checkpoint.deleted", "").endswith(" bytes, not among the best 2") for _, tags in found]
    assert said == [False] * 2 + [True] * 2
    assert "weights of 2 trials were let go on purpose" in second.run("verify", code=None)
    said = "weights of the best 2 are kept, those of 2 of 4 were let go on purpose"
    assert said in second.run("audit", "kept", code=None)
    assert f"now {said}" in second.run("gc", "kept", "--keep", "2")
    number = found[-1][1]["trial.number"]
    refused = second.run("register", "kept", "--as-is", "--trial", number, code=2)
    assert "let go on purpose" in refused and "a refit needs the spec alone" in refused
