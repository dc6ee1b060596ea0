import re
import sqlite3
from contextlib import closing

import pytest

from pipeline.exceptions import InputError, StoreError
from search.audit.audit import audit_study
from search.audit.status import study_states
from search.audit.verify import verify
from search.legacy.record.present import legacy_runs
from search.registry.versions.versions import find_version
from search.report.inputs.admission import open_studies
from search.results.trial_runs import recorded_trials
from search.results.trials_table import trials_table
from search.study.reconcile import reconcile
from search.study.restore import restore
from search.tracking.reader import PAGE, find_experiments, find_runs, matching
from search.tracking.run import RunWriter
from search.tracking.stores import SQLITE, open_tracking
from search.tracking.tags import BASELINE_ROLE, KILLED, LEGACY_TRIAL_ROLE, RUNNING, TRIAL_ROLE
from search.trial.baselines import SKILL_OVER, Logged, _carry_skill

COUNT = 1200
TRIAL_TABLES = ("trial_values", "trial_params", "trial_user_attributes")


def copy_rows(connection, table, rows, **new):
    """Copy the rows of a table that a condition finds once for every copy, with new values in some columns."""
    columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    columns = columns if table in ("runs", "tags", "params", "latest_metrics", "trials") else columns[1:]
    values = [new.get(name, f"{table}.{name}") for name in columns]
    connection.execute(
        f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(values)} FROM {table}, copies WHERE {rows}"
    )


def name_copies(connection, first):
    connection.execute(
        "CREATE TEMP TABLE copies AS WITH RECURSIVE c(i) AS (VALUES(?) UNION ALL SELECT i + 1 FROM c WHERE i < ?) "
        "SELECT i, printf('%032x', i) AS run FROM c",
        (first, first + COUNT - 2),
    )


@pytest.fixture
def change(stores):
    """Run SQL on the tracking store, behind MLflow's back: 1,200 runs in one transaction."""

    def execute(*statements):
        with closing(sqlite3.connect(stores.tracking_uri.removeprefix(SQLITE))) as connection, connection:
            for statement in statements:
                connection.execute(statement)

    return execute


@pytest.fixture(params=[("tags", "params", "latest_metrics")], ids=["whole"])
def crowded(request, stores, make_study, make_trained):
    """A study of one trial, copied until both stores hold 1,200 of it, and those parts of its run that are read."""
    study = make_trained(1, 1)
    (trial,) = study.finished()
    run, first = trial.user_attrs["run_id"], len(study.schedule.trials)
    with closing(sqlite3.connect(stores.tracking_uri.removeprefix(SQLITE))) as connection, connection:
        name_copies(connection, first)
        for table in ("runs", *request.param):
            copy_rows(connection, table, f"{table}.run_uuid = '{run}'", run_uuid="copies.run")
        connection.execute(
            "UPDATE tags SET value = (SELECT i FROM copies WHERE run = run_uuid) "
            "WHERE key = 'trial.number' AND run_uuid IN (SELECT run FROM copies)"
        )
    with closing(sqlite3.connect(stores.storage_uri.removeprefix(SQLITE))) as connection, connection:
        name_copies(connection, first)
        copy_rows(
            connection, "trials", f"trials.trial_id = {trial._trial_id}", trial_id="copies.i + 9000", number="copies.i"
        )
        for table in TRIAL_TABLES:
            copy_rows(connection, table, f"{table}.trial_id = {trial._trial_id}", trial_id="copies.i + 9000")
        connection.execute(
            "UPDATE trial_user_attributes SET value_json = (SELECT '\"' || run || '\"' FROM copies WHERE i + 9000 = "
            "trial_id) WHERE key = 'run_id' AND trial_id > 9000"
        )
    return make_study(1)


@pytest.mark.slow
def test_1200_trials_are_read_in_the_table_the_audit_and_the_status(crowded, stores, monkeypatch):
    assert COUNT > PAGE
    table = trials_table(crowded)
    assert (table["state"] == "finished").sum() == COUNT
    recorded = recorded_trials(crowded)
    assert sorted(trial.number for trial in recorded) == sorted(table.loc[table["state"] == "finished", "number"])
    audits = []
    monkeypatch.setattr(
        "search.audit.status.audit_study", lambda *a, **k: audits.append(audit_study(*a, **k)) or audits[0]
    )
    (state,) = study_states(stores)
    (audit,) = audits
    assert state["finished"] == audit.finished == COUNT and audit.disagreements == () and audit.invalid == ()
    (duplicate,) = audit.duplicates
    assert len(re.findall(r"\d+", duplicate.split(" in trials ")[1])) == COUNT
    assert [each.plan for each in open_studies(stores, [crowded.plan.study])] == [crowded.plan]


@pytest.mark.slow
def test_1200_runs_that_no_trial_names_are_restored_each(crowded, stores):
    with closing(sqlite3.connect(stores.storage_uri.removeprefix(SQLITE))) as connection, connection:
        for table in ("trials", *TRIAL_TABLES):
            connection.execute(f"DELETE FROM {table} WHERE trial_id > 9000")
    _, done = restore(crowded)
    assert len(done) == COUNT - 1 and all("is in no schedule" in line for line in done)


@pytest.mark.slow
@pytest.mark.parametrize("crowded", [("tags",)], ids=["tags"], indirect=True)
def test_1200_runs_that_say_running_are_found_and_ended_each(crowded, stores, change, monkeypatch, tmp_path):
    change(f"UPDATE runs SET status = '{RUNNING}' WHERE run_uuid IN (SELECT run_uuid FROM tags WHERE value = 'trial')")
    assert any(f"runs: {COUNT + 1} say RUNNING" in line for _, line in verify(stores, tmp_path))
    ended = set()
    monkeypatch.setattr(RunWriter, "interrupt", lambda self, reason="": ended.add(self.run_id))
    done = reconcile(crowded)
    assert len(ended) == COUNT and sum("said RUNNING" in line for line in done) == COUNT


@pytest.mark.slow
def test_1200_finished_trials_carry_their_skill_over_the_best_baseline(crowded, monkeypatch):
    carried = {}
    monkeypatch.setattr(
        RunWriter, "log", lambda self, values, tags: carried.setdefault(self.run_id, values[SKILL_OVER])
    )
    _carry_skill(crowded, [Logged(name="base rate", run_id="", reused=True, metrics={"best/loss": 0.5})])
    assert len(carried) == COUNT and len(set(carried.values())) == 1


@pytest.mark.slow
@pytest.mark.parametrize("crowded", [("tags",)], ids=["tags"], indirect=True)
def test_1200_imported_runs_are_counted_and_keep_their_study_out_of_a_report(crowded, stores, change):
    change(
        f"UPDATE tags SET value = '{LEGACY_TRIAL_ROLE}' WHERE value = 'trial'",
        "INSERT INTO tags (run_uuid, key, value) SELECT run_uuid, 'origin', 'legacy' FROM runs",
        f"INSERT INTO experiment_tags (experiment_id, key, value) VALUES ({crowded.experiment_id}, 'origin', 'legacy')",
        "UPDATE tags SET value = 'imported' WHERE key = 'study.name' AND run_uuid = "
        "(SELECT run_uuid FROM runs ORDER BY start_time, run_uuid DESC LIMIT 1)",
    )
    assert len(legacy_runs(crowded.client)) == COUNT + 1
    with pytest.raises(StoreError, match="got the imported study imported"):
        open_studies(stores, ["imported"])


def test_runs_that_are_ended_while_they_are_read_are_all_read(stores, monkeypatch):
    monkeypatch.setattr("search.tracking.reader.PAGE", 2)
    client = open_tracking(stores)
    experiment = client.create_experiment("e")
    made = [client.create_run(experiment).info.run_id for _ in range(5)]
    found = []
    for run in find_runs(client, [experiment], matching({}, status=RUNNING)):
        client.set_terminated(run.info.run_id, KILLED)
        found.append(run.info.run_id)
    assert sorted(found) == sorted(made)
    assert find_runs(client, [experiment], matching({}, status=RUNNING)) == find_runs(client, []) == []


def test_deleted_runs_are_found_where_they_are_asked_for(stores):
    client = open_tracking(stores)
    experiment = client.create_experiment("e")
    run_id = client.create_run(experiment).info.run_id
    client.delete_run(run_id)
    assert find_runs(client, [experiment]) == []
    assert [run.info.run_id for run in find_runs(client, [experiment], deleted=True)] == [run_id]


def test_every_page_of_experiments_is_read(stores, monkeypatch):
    monkeypatch.setattr("search.tracking.reader.PAGE", 2)
    client = open_tracking(stores)
    made = [client.create_experiment(name) for name in "abcde"]
    assert sorted(find_experiments(client)) == sorted(["0", *made])


@pytest.mark.parametrize("value", ["plain", "it's", 'a "quoted" one', "^GSPC-h1", "a\\b", "50 %", "a`b"])
def test_a_value_is_found_whatever_its_letters(stores, value):
    client = open_tracking(stores)
    experiment = client.create_experiment("e")
    made = client.create_run(experiment, tags={"study.name": value})
    client.log_param(made.info.run_id, "p", value)
    query = matching({"study.name": value}, params={"p": value}, status=RUNNING)
    assert [run.info.run_id for run in find_runs(client, [experiment], query)] == [made.info.run_id]
    assert find_runs(client, [experiment], matching({"study.name": f"{value}x"})) == []


@pytest.mark.parametrize("value", ["""both ' and \"""", "ends with \\"])
def test_a_value_that_mlflow_cannot_be_asked_for_is_refused(value):
    with pytest.raises(InputError, match="must do without one of the marks"):
        matching({"study.name": value})


def test_a_registered_model_of_any_name_can_be_looked_up(stores):
    client = open_tracking(stores)
    client.create_registered_model("SPY's")
    with pytest.raises(InputError, match="a version of SPY's must be one of none, got 1"):
        find_version(client, "SPY's/1")


def test_runs_of_a_study_are_told_apart_by_role_status_tags_and_params(make_study):
    study = make_study(1)
    made = {}
    for role, name in ((TRIAL_ROLE, study.plan.study), (BASELINE_ROLE, study.plan.study), (BASELINE_ROLE, "other")):
        tags = {"run.role": role, "study.name": name, "spoken": "yes"}
        made[role, name] = study.client.create_run(study.experiment_id, tags=tags).info.run_id
        study.client.log_param(made[role, name], "p", role)
    trial, baseline = (made[role, study.plan.study] for role in (TRIAL_ROLE, BASELINE_ROLE))
    assert {run.info.run_id for run in study.runs()} == {study.run_id, trial, baseline}
    assert [run.info.run_id for run in study.runs(BASELINE_ROLE)] == [baseline]
    assert [run.info.run_id for run in study.runs(status=RUNNING, tags={"spoken": "yes"})] == [baseline, trial]
    assert [run.info.run_id for run in study.runs(params={"p": TRIAL_ROLE})] == [trial]
    assert study.runs(TRIAL_ROLE, status=KILLED) == []


def test_only_the_reader_searches_the_tracking_store_page_by_page(project):
    """A search that forgets the second page finds the first 1,000 runs and no more."""
    pattern = re.compile(r"page_token|\.search_(runs|experiments|registered_models|model_versions|logged_models)\(")
    found = {
        str(path.relative_to(project)): sorted({match.group() for match in pattern.finditer(path.read_text())})
        for path in (project / "search").rglob("*.py")
    }
    assert {path: calls for path, calls in found.items() if calls} == {
        "search/tracking/reader.py": ["page_token"],
        "search/tracking/stores.py": [".search_experiments("],
    }
