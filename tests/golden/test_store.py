"""A store that the code of 2026-11-25 made is read, audited, resumed, extended, reported, walked forward and served.

All of it twice: by this code, and by a later one whose spec and network have a field more, with another default than
the value that the older records are said to have had.
"""

import json
import os
import sqlite3
import subprocess
import sys

import pandas as pd
import pytest

from model.spec.spec import Spec

COMMON = [
    *["--budget", "5K", "--ticker", "ACME", "--source", "csv:bars?adjusted=no"],
    *["--workers", "1", "--pruner", "none"],
]
SPLIT = ["--split", "2016-06-30/2017-06-30/2018-06-30"]
COMPLETE = ["hpo", *COMMON, *SPLIT, "--study", "complete", "--max-epochs", "2"]
INTERRUPTED = [
    *["hpo", *COMMON, *SPLIT, "--study", "interrupted", "--horizon", "3", "--offset", "logistic"],
    *["--max-epochs", "40", "--patience", "40"],
]
MODEL = "patchscale-ACME-h1"
LATER = [
    (
        "model/spec/spec.py",
        "    blend: str = NONE\n    batch_size",
        "    blend: str = NONE\n    label_noise: float = 0.25\n    batch_size",
    ),
    (
        "model/spec/architecture.py",
        "    horizons: str = NO_HORIZONS\n\n    def",
        "    horizons: str = NO_HORIZONS\n    gate: int = 2\n\n    def",
    ),
    (
        "model/spec/migrations.py",
        '"""Of the spec, oldest first."""\n',
        '"""Of the spec, oldest first."""\n'
        "MIGRATIONS += (\n"
        '    Migration(schema=4, name="label_noise", value="0.0"),\n'
        '    Migration(schema=4, name="gate", value="1"),\n)\n',
    ),
]
"""A later version in which two throw-away fields joined the spec, and each standard value is not that of before."""

pytestmark = pytest.mark.slow


def runs(directory, role):
    """Every run of a role: its study, status, params and tags, by run id."""
    with sqlite3.connect(directory / "mlruns" / "mlflow.db") as database:
        query = "SELECT runs.run_uuid, status FROM runs JOIN tags USING (run_uuid) WHERE key = 'run.role' AND value = ?"
        found = {}
        for run_id, status in database.execute(query, (role,)).fetchall():
            params = dict(database.execute("SELECT key, value FROM params WHERE run_uuid = ?", (run_id,)))
            tags = dict(database.execute("SELECT key, value FROM tags WHERE run_uuid = ?", (run_id,)))
            found[run_id] = {"status": status, "params": params, "tags": tags}
    database.close()
    return found


def of_study(found, study):
    return {run_id: run for run_id, run in found.items() if run["tags"]["study.name"] == study}


@pytest.fixture(scope="module", params=["this code", "a later code"])
def project(request, later_code):
    return later_code([] if request.param == "this code" else LATER)


@pytest.fixture(scope="module")
def store(project, golden_store):
    """A store of its own for each code; the tests stand in the order in which they change it."""
    return golden_store()


@pytest.fixture(scope="module")
def do(project, store, patchscale):
    """Run a command of the code on its store."""
    return lambda *arguments, code=0: patchscale(store, *arguments, code=code, project=project)


@pytest.fixture(scope="module")
def before(store):
    """Trials of the store as it was made."""
    return runs(store, "trial")


@pytest.mark.lesson("L36")
def test_status_says_what_each_study_holds(do, before):
    complete, interrupted = json.loads(do("status", "--json"))
    assert (complete["study"], complete["finished"], complete["target"], complete["state"]) == (
        "complete",
        3,
        3,
        "complete",
    )
    assert (interrupted["finished"], interrupted["target"], interrupted["state"]) == (1, 2, "incomplete")
    assert complete["best_loss"] is not None and complete["record_schema"] == 1


@pytest.mark.lesson("L36")
def test_an_audit_trusts_every_record_and_names_their_schema(do):
    audit = json.loads(do("audit", "complete", "--json", code=1))
    assert audit["invalid"] == audit["duplicates"] == audit["disagreements"] == []
    assert audit["finished"] == 3 and audit["record_schemas"] == {"1": 3}
    said = do("audit", "complete", code=1)
    assert "record.schema 1 in 3 trials, read with what such records lack" in said
    assert "nothing is missing" not in said, "three trials of six extremes"


@pytest.mark.lesson("L36")
def test_the_stores_are_reconciled_and_verified(do):
    assert "the stores agree" in do("reconcile", "complete")
    assert "dataset versions: 1 whole" in do("verify", code=1), "one run says RUNNING: its command was killed"


@pytest.mark.lesson("L36")
def test_a_report_is_made_of_every_finished_trial(do, store):
    do("report", "complete", "--resamples", "200")
    (page,) = (store / "mlruns" / "artifacts").rglob("*.html")
    assert "Best of 3 trials" in page.read_text(encoding="utf-8")


@pytest.mark.lesson("L36")
def test_baselines_of_before_are_the_baselines_of_today(do, store):
    kept = set(runs(store, "baseline"))
    assert "0 baselines run, 5 already there with the same settings" in do("baselines", "complete")
    assert set(runs(store, "baseline")) == kept


@pytest.mark.lesson("L36")
def test_the_interrupted_trial_is_run_again_with_its_own_spec(do, store, before):
    (stopped,) = [run for run in of_study(before, "interrupted").values() if run["status"] == "RUNNING"]
    do(*INTERRUPTED, "--trials", "6")
    trials = of_study(runs(store, "trial"), "interrupted")
    again = [run for run in trials.values() if run["params"]["spec_hash"] == stopped["params"]["spec_hash"]]
    assert sorted(run["status"] for run in again) == ["FINISHED", "KILLED"]
    assert sum(run["status"] == "FINISHED" for run in trials.values()) == 6


@pytest.mark.lesson("L36")
def test_a_complete_study_is_extended_by_a_trial_of_the_same_settings(do, store, before):
    do(*COMPLETE, "--trials", "4")
    trials = of_study(runs(store, "trial"), "complete")
    (new,) = [run for run_id, run in trials.items() if run_id not in before]
    assert new["status"] == "FINISHED" and new["tags"]["record.state"] == "valid"
    older = of_study(before, "complete").values()
    kept = next(iter(older))["params"]
    for name in ("beta1", "beta2", "clip_norm", "context_length", "max_epochs", "seed", "dataset"):
        assert new["params"][name] == kept[name]
    assert new["params"].get("label_noise", "0.0") == "0.0" and new["params"].get("gate", "1") == "1"
    assert json.loads(do("audit", "complete", "--json", code=1))["record_schemas"]["1"] == 3


@pytest.mark.lesson("L36")
def test_a_trial_is_walked_forward(do, before):
    best = min(of_study(before, "complete"), key=lambda run_id: int(before[run_id]["tags"]["trial.number"]))
    said = do("walkforward", best, "--first-year", "2015", "--last-year", "2015", "--seeds", "1", "--workers", "1")
    assert "2015" in said and "log loss" in said


@pytest.mark.lesson("L36")
def test_the_registered_version_predicts_the_newest_day(do):
    said = json.loads(do("predict", "--ticker", "ACME", "--source", "csv:bars?adjusted=no", "--json"))
    assert 0 < said["probability"] < 1 and said["date"] == "2018-08-29"


@pytest.mark.lesson("L36")
def test_the_registered_version_is_served(store, project):
    bars = pd.read_csv(store / "bars" / "ACME.csv").rename(columns=lambda name: name.lower().replace(" ", "_"))
    (store / "bars.json").write_text(json.dumps({"dataframe_split": json.loads(bars.to_json(orient="split"))}))
    uri = f"sqlite:///{store}/mlruns/mlflow.db"
    served = subprocess.run(
        [
            *[sys.executable, "-m", "mlflow", "models", "predict", "-m", f"models:/{MODEL}@champion"],
            *["--env-manager", "local", "-i", "bars.json"],
        ],
        cwd=store,
        env={**os.environ, "MLFLOW_TRACKING_URI": uri, "PYTHONPATH": str(project)},
        capture_output=True,
        text=True,
    )
    assert served.returncode == 0, served.stderr
    (row,) = json.loads(served.stdout[served.stdout.index("{") :])["predictions"]
    assert row["date"] == "2018-08-29" and 0 < row["probability"] < 1


@pytest.mark.lesson("L36")
def test_another_version_is_registered_beside_it_and_compared(do):
    said = do("register", "complete", "--seeds", "1")
    assert f"{MODEL}/2 registered as challenger" in said
    assert "251 days" in do("compare", f"{MODEL}/1", f"{MODEL}/2")
    assert f"{MODEL}/1" in do("evaluate", f"{MODEL}/1")


@pytest.mark.lesson("L36")
def test_every_record_keeps_its_name(before, later_code, patchscale):
    for run in before.values():
        assert Spec.from_params(run["params"]).hash == run["params"]["spec_hash"]


@pytest.mark.lesson("L36")
@pytest.mark.lesson("L3")
def test_a_field_that_no_migration_names_makes_the_record_unreadable_and_says_so(later_code, golden_store, patchscale):
    forgotten = later_code(LATER[:1])
    said = patchscale(golden_store(), "audit", "complete", code=1, project=forgotten, interpreter=True)
    assert "label_noise" in said
