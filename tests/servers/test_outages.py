"""Servers that restart, drop connections, are full or slow, in mid-study: no trial fails, none is lost."""

import re
import shutil
import signal
import threading
import time
from contextlib import contextmanager

import optuna
import psycopg
import pytest
import sqlalchemy

import search.tracking.address as address
import search.tracking.answering as answering
import search.tracking.patience as patience
from search.tracking.lease import study_lease
from search.tracking.stores import open_storage, open_tracking, resolve_stores
from tests.disk import filled, mount, unmount
from tests.servers.proxy import Proxy

SEARCH = ("hpo", "--budget", "5K", "--tier", "r25", "--max-epochs", "1", "--pruner", "none", "--workers", "2")
FULL = """
CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$;
"""
TABLES = ("trial_intermediate_values", "trial_user_attributes")


def states(postgres, database):
    """State of every trial that was started, and how it ended."""
    query = """
        SELECT trials.state::text, attributes.value_json FROM trials LEFT JOIN trial_user_attributes AS attributes
        ON attributes.trial_id = trials.trial_id AND attributes.key = 'end' WHERE trials.state::text <> 'WAITING'
    """
    return postgres.ask(query, database=database)


def run_statuses(tracking_server, study):
    query = """
        SELECT runs.status FROM runs JOIN tags AS role ON role.run_uuid = runs.run_uuid AND role.key = 'run.role'
        JOIN tags AS study ON study.run_uuid = runs.run_uuid AND study.key = 'study.name'
        WHERE role.value = 'trial' AND study.value = %s
    """
    return [status for (status,) in tracking_server.postgres.ask(query, [study], tracking_server.database)]


def fill_up(postgres, database):
    postgres.ask(FULL, database=database)
    for table in TABLES:
        postgres.ask(
            f"CREATE TRIGGER full_disk BEFORE INSERT ON {table} EXECUTE FUNCTION full_disk()", database=database
        )


def make_room(postgres, database):
    for table in TABLES:
        postgres.ask(f"DROP TRIGGER full_disk ON {table}", database=database)


@pytest.mark.lesson("L40")
@pytest.mark.parametrize("name", ["trial_user_attributes", "trial_values"])
def test_a_connection_that_ends_between_two_queries_of_one_call_is_waited_for(postgres, storage_url, monkeypatch, name):
    """Optuna asks another way then, in the transaction that is over: the error that it tells of names no cause."""
    told, ended = [], []
    monkeypatch.setattr(patience.WAITING, "tell", told.append)
    storage = open_storage(resolve_stores(storage=storage_url))
    study = optuna.create_study(storage=storage)
    trial = study.ask()
    trial.set_user_attr("seen", True)

    @sqlalchemy.event.listens_for(storage.engine, "before_cursor_execute")
    def end(connection, cursor, statement, *rest):
        if f"FROM {name}" in statement and not ended:
            ended.append(postgres.terminate(storage_url.rpartition("/")[2]))

    found = storage.get_all_trials(study._study_id)
    assert ended and [each.user_attrs for each in found] == [{"seen": True}]
    assert len(told) == 2 and "has not answered" in told[0] and "answers again" in told[1]


@pytest.mark.lesson("L40")
def test_no_trial_fails_and_none_is_lost_whatever_the_servers_do(machine, postgres, tracking_server, storage_url):
    database = storage_url.rpartition("/")[2]

    def restart():
        postgres.stop(signal.SIGQUIT)
        time.sleep(1)
        postgres.start()

    def be_full():
        fill_up(postgres, database)
        time.sleep(2)
        make_room(postgres, database)

    with Proxy(postgres.port, delay=0.005) as slow:
        steps = [restart, lambda: postgres.terminate(database), be_full, tracking_server.restart, slow.cut]
        steps.append(lambda: slow.hang(3))
        here = machine("here", storage=storage_url.replace(str(postgres.port), str(slow.port)))
        process = here.start(*SEARCH, "--study", "disturbed", "--trials", "6")
        said = []
        for line in process.stdout:
            said.append(line)
            if line.startswith("[") and steps:
                steps.pop(0)()
        said = "".join(said)
    assert process.wait() == 0, said
    assert steps == [] and not re.search(r"trial \d+ failed", said) and "Traceback" not in said, said
    assert "has not answered since" in said and "waiting for it until" in said, said
    ended = states(postgres, database)
    assert [state for state, _ in ended] == ["COMPLETE"] * len(ended) and len(ended) >= 6, ended
    assert sorted(run_statuses(tracking_server, "disturbed")) == ["FINISHED"] * 6


@pytest.mark.lesson("L40")
def test_a_server_that_takes_questions_and_does_not_answer_is_away(postgres, storage_url, tmp_path, monkeypatch):
    told = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(answering, "LONGEST_SILENCE", 0.3)
    monkeypatch.setitem(address.SIGNS_OF_LIFE, "connect_timeout", 2)
    monkeypatch.setattr(patience.WAITING, "tell", told.append)
    with Proxy(postgres.port) as proxy:
        stores = resolve_stores(storage=storage_url.replace(str(postgres.port), str(proxy.port)))
        storage = open_storage(stores)
        optuna.create_study(study_name="s", storage=storage)
        with study_lease(stores, "s") as lease:
            for ask, seconds in ((storage.get_all_studies, 3.5), (lease.require, 1)):
                hanging = threading.Thread(target=proxy.hang, args=(seconds,))
                hanging.start()
                time.sleep(0.2)
                ask()
                hanging.join()
            before = lease.server._session
            lease.require()
    assert before == lease.server._session, "the session that was made instead is kept"
    first, last = told
    assert "has not answered since" in first and "answers again" in last
    storage.remove_session()
    storage.engine.dispose()


@pytest.fixture
def small_disk(postgres):
    """Disk, and address of an empty Optuna storage whose tables alone lie on it, each with room for few rows a page."""
    place = postgres.directory / "disk"
    place.mkdir(exist_ok=True)
    mount(place, "size=16m", "mode=777")
    home = place / "tablespace"
    home.mkdir()
    if postgres.user is not None:
        shutil.chown(home, postgres.user)
    try:
        postgres.ask(f"CREATE TABLESPACE small LOCATION '{home}'")
        name = postgres.create("optuna", tablespace="small")
        for (table,) in postgres.ask("SELECT tablename FROM pg_tables WHERE schemaname = 'public'", database=name):
            postgres.ask(f"ALTER TABLE {table} SET (fillfactor = 10)", database=name)
        yield place, postgres.url(name)
        postgres.ask(f"DROP DATABASE {name} WITH (FORCE)")
        postgres.ask("DROP TABLESPACE small")
    finally:
        unmount(place)


@pytest.mark.lesson("L40")
def test_a_study_waits_while_the_disk_of_its_database_is_full(machine, postgres, tracking_server, small_disk):
    place, storage = small_disk
    here = machine("here", storage=storage)
    process = here.start(*SEARCH, "--study", "cramped", "--trials", "3")
    said = []
    for line in process.stdout:
        said.append(line)
        if line.startswith("Watch"):  # not after the first trial: the others may have ended before that line is read
            with filled(place):
                for line in process.stdout:
                    said.append(line)
                    if "waiting for it until" in line:
                        break
    said = "".join(said)
    assert process.wait() == 0 and "[3/3]" in said, said
    assert "No space left on device" in said and "answers again" in said, said
    ended = states(postgres, storage.rpartition("/")[2])
    assert [state for state, _ in ended] == ["COMPLETE"] * 3, ended
    assert run_statuses(tracking_server, "cramped") == ["FINISHED"] * 3


@contextmanager
def broken(tracking_server):
    """Inside, no artifact can be written or read: the server answers with HTTP 500."""
    artifacts = tracking_server.directory / "artifacts"
    artifacts.rename(artifacts.with_name("away"))
    artifacts.touch()
    try:
        yield
    finally:
        artifacts.unlink()
        artifacts.with_name("away").rename(artifacts)


@pytest.mark.lesson("L29")
def test_a_study_waits_while_artifacts_can_not_be_kept_and_ends_by_one_line_if_that_stays(
    machine, postgres, tracking_server, storage_url
):
    here, database = machine("here"), storage_url.rpartition("/")[2]
    search = (*SEARCH[:-1], "1", "--study", "unkept", "--trials", "1")

    def run(until, **variables):
        """Break the artifacts before the trial, until a line says this."""
        process = here.start(*search, MLFLOW_HTTP_REQUEST_MAX_RETRIES="0", **variables)
        said = []
        for line in process.stdout:
            said.append(line)
            if line.startswith("Watch"):
                with broken(tracking_server):
                    for line in process.stdout:
                        said.append(line)
                        if until in line:
                            break
        return process.wait(), "".join(said)

    code, said = run("error: ", PATCHSCALE_STORE_WAIT="1")
    assert code == 2 and "Traceback" not in said and not re.search(r"trial \d+ failed", said), said
    assert len(re.findall("^error: ", said, re.M)) == 1 and said.splitlines()[-1].startswith("error: a store must "), (
        said
    )
    assert "it answers with HTTP 500" in said, said
    assert [state for state, _ in states(postgres, database)] in (["RUNNING"], ["FAIL"])
    code, said = run("waiting for it until")
    assert code == 0 and "answers again" in said and not re.search(r"trial \d+ failed", said), said
    ended = states(postgres, database)
    assert [state for state, _ in ended].count("COMPLETE") == 1 and "RUNNING" not in dict(ended), ended
    assert {end for state, end in ended if state == "FAIL"} <= {'"interrupted"'}, ended
    assert run_statuses(tracking_server, "unkept").count("FINISHED") == 1


@pytest.mark.lesson("L40")
def test_an_upload_waits_while_the_disk_of_the_artifacts_is_full(tracking_server, tmp_path, monkeypatch):
    told, waits = [], threading.Event()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setattr(patience.WAITING, "tell", lambda line: (told.append(line), waits.set()))
    client = open_tracking(resolve_stores(tracking_server.url))
    experiment = client.create_experiment("cramped disk")
    run_id = client.create_run(experiment).info.run_id
    (tmp_path / "weights").write_bytes(bytes(100_000))
    place = tracking_server.directory / "artifacts" / experiment
    place.mkdir(parents=True)
    mount(place, "size=1m", "mode=777")
    try:
        with filled(place):
            upload = threading.Thread(target=client.log_artifact, args=(run_id, str(tmp_path / "weights")))
            upload.start()
            assert waits.wait(1500)
        upload.join()
        assert [(each.path, each.file_size) for each in client.list_artifacts(run_id)] == [("weights", 100_000)]
    finally:
        unmount(place)
    first, last = told
    assert "it answers with HTTP 500" in first and "answers again" in last


@pytest.mark.lesson("L29")
def test_a_server_that_stays_away_ends_the_command_by_one_line_and_the_same_command_goes_on(
    machine, postgres, tracking_server, storage_url
):
    database = storage_url.rpartition("/")[2]
    here = machine("here")
    search = (*SEARCH, "--study", "left", "--trials", "3")
    process = here.start(*search, PATCHSCALE_STORE_WAIT="3")
    said = []
    for line in process.stdout:
        said.append(line)
        if line.startswith("[1/"):
            postgres.stop(signal.SIGQUIT)
    assert process.wait() == 2, "".join(said)
    lines = "".join(said).strip().splitlines()
    assert lines[-1].startswith("error: ") and sum(line.startswith("error: ") for line in lines) == 1, lines
    assert not any("Traceback" in line or re.match(r"trial \d+ failed", line) for line in lines), lines
    postgres.start()
    deadline = time.monotonic() + 1500
    while time.monotonic() < deadline:
        try:
            with psycopg.connect(tracking_server.postgres.url(tracking_server.database)):
                break
        except psycopg.OperationalError:
            time.sleep(0.1)
    done = here.run(*search)
    assert "3/3" in done or "[3/3]" in done, done
    ended = states(postgres, database)
    assert [state for state, _ in ended].count("COMPLETE") == 3
    assert all(end == '"interrupted"' for state, end in ended if state == "FAIL"), ended
    assert not any(state == "RUNNING" for state, _ in ended)
    assert sorted(set(run_statuses(tracking_server, "left"))) in (["FINISHED"], ["FINISHED", "KILLED"])
    assert run_statuses(tracking_server, "left").count("FINISHED") == 3
