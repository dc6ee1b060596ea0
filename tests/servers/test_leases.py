"""A lease on PostgreSQL: one command a study whatever the machine, known to all, and free when its holder is gone."""

import os
import re
import signal
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import optuna
import pytest

import search.tracking.advisory as advisory
import search.tracking.patience as patience
from pipeline.exceptions import LostLeaseError, StoreError
from search.study.heartbeat import alive_elsewhere
from search.study.study import load_study
from search.tracking.lease import (
    brief_lease,
    campaign_lease,
    holders,
    is_held,
    refuse_if_held,
    registry_lease,
    store_lease,
    study_lease,
)
from search.tracking.session import ask, connect
from search.tracking.stores import open_storage, open_tracking, resolve_stores
from tests.servers.proxy import Proxy
from tests.servers.test_outages import FULL

HPO = ["hpo", "--budget", "5K", "--tier", "r25", "--workers", "2", "--pruner", "none"]
HPO += ["--split", "2004-12-31/2006-12-31/2008-12-31", "--study"]
HOLD = """
import sys
from search.tracking.lease import study_lease
from search.tracking.stores import open_storage, open_tracking, resolve_stores
with study_lease(resolve_stores(), sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read() or __import__("time").sleep(1500)
"""
FIRST = """
from search.tracking.stores import open_storage, open_tracking, resolve_stores
stores = resolve_stores()
open_storage(stores)
open_tracking(stores)
"""

pytestmark = [pytest.mark.slow, pytest.mark.lesson("L40")]


@pytest.fixture
def stores(storage_url, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return resolve_stores(storage=storage_url)


def wait_until(true):
    deadline = time.monotonic() + 1500
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_who_holds_a_study_is_known_and_nobody_else_may_work_on_it(stores):
    assert holders(stores, ["s"]) == {}
    with study_lease(stores, "s") as lease:
        assert lease.handle is None, "there is nothing for workers to inherit"
        lease.require()
        (holder,) = holders(stores, ["s", "other"]).values()
        assert (holder.pid, holder.host, holder.brief) == (str(os.getpid()), socket.gethostname(), False)
        assert abs(holder.since - time.time()) < 1500
        whole = rf"study s in use by process {os.getpid()}; .* \(on {socket.gethostname()} since 2\d{{3}}-\S+ \S+ UTC\)"
        for refused in (study_lease, brief_lease):
            with pytest.raises(StoreError, match=whole), refused(stores, "s"):
                pass
        with pytest.raises(StoreError, match=whole):
            refuse_if_held(stores, "s")
        with study_lease(stores, "other"), brief_lease(stores, "s.baselines"):
            assert len(holders(stores, ["s", "other", "s.baselines"])) == 3
    assert holders(stores, ["s"]) == {}
    with study_lease(stores, "s"):
        pass


def test_campaign_registry_and_what_studies_share_are_held_likewise(stores):
    with campaign_lease(stores, ["s", "t"]), registry_lease(stores, "m"), store_lease(stores):
        with pytest.raises(StoreError, match="study t in the campaign of process"), campaign_lease(stores, ["u", "t"]):
            pass
        with pytest.raises(StoreError, match=r"m\.registry in use"), registry_lease(stores, "m", wait=0.1):
            pass
        assert not is_held(stores, "s") and not is_held(stores, "u.campaign")
        assert [each.brief for each in holders(stores, ["s.campaign", "m.registry"]).values()] == [False, True]


@pytest.fixture
def unwatched(monkeypatch):
    """Nobody looks at a lease but who writes."""
    monkeypatch.setattr(advisory, "WATCH_SECONDS", 1500)


def test_a_database_that_restarts_does_not_free_a_study_for_good_and_a_takeover_is_noticed(stores, postgres, unwatched):
    with study_lease(stores, "s") as lease:
        postgres.restart()
        lease.require()
        assert is_held(stores, "s")
        postgres.terminate(stores.storage_uri.rpartition("/")[2])
        assert not is_held(stores, "s")
        with study_lease(stores, "s"):
            with pytest.raises(LostLeaseError, match=f"in use by process {os.getpid()} on .*took it over"):
                lease.require()
        with pytest.raises(LostLeaseError, match="took it over"):
            lease.require()


def test_a_lease_is_held_again_before_anything_is_written_and_a_second_command_is_refused(
    stores, postgres, monkeypatch
):
    monkeypatch.setattr(advisory, "WATCH_SECONDS", 0.05)
    database = stores.storage_uri.rpartition("/")[2]
    with study_lease(stores, "s.walkforward"), registry_lease(stores, "m"), campaign_lease(stores, ["s"]):
        names = ["s.walkforward", "m.registry", "s.campaign"]
        for end in (postgres.restart, lambda: postgres.terminate(database)):
            end()
            wait_until(lambda: holders(stores, names).keys() == set(names))
            with pytest.raises(StoreError, match=f"in use by process {os.getpid()}"):
                with study_lease(stores, "s.walkforward"):
                    pass
    assert not holders(stores, names)
    time.sleep(0.2)
    assert not holders(stores, names), "what was freed is not taken again"


def test_who_was_cut_off_writes_nothing_after_a_visitor_even_one_that_has_left(stores, postgres, unwatched):
    database = stores.storage_uri.rpartition("/")[2]
    storage = open_storage(stores)
    study = optuna.create_study(study_name="s", storage=storage)
    with study_lease(stores, "s") as lease, brief_lease(stores, "s.registration"):
        study.set_user_attr("a", 1)
        postgres.terminate(database)
        study.set_user_attr("a", 2)
        postgres.terminate(database)
        with brief_lease(stores, "s.registration"):
            pass
        with pytest.raises(LostLeaseError, match=r"study s\.registration in use by process unknown, .*has ended"):
            study.set_user_attr("a", 3)
        lease.require()
        assert study.user_attrs == {"a": 2}
    with study_lease(stores, "s"):
        study.set_user_attr("a", 4)
    storage.remove_session()
    storage.engine.dispose()


def test_takes_are_counted_by_all_at_once_and_not_by_a_role_that_may_not(stores, postgres):
    def count(name):
        connection = connect(stores.storage_uri)
        try:
            return advisory.count_take(connection, name)
        finally:
            connection.close()

    with ThreadPoolExecutor(12) as threads:
        assert sorted(threads.map(count, ["s"] * 12)) == list(range(1, 13)), "the first of them made the table"
    assert count("t") == 1
    postgres.ask("CREATE ROLE reader LOGIN")
    for uri in (stores.storage_uri, postgres.url(postgres.create("optuna"))):
        as_reader = replace(stores, storage_uri=uri.replace("patchscale@", "reader@"))
        with study_lease(as_reader, "s") as lease:
            postgres.terminate(uri.rpartition("/")[2])
            lease.require()
    bare = postgres.url(postgres.create())
    with study_lease(replace(stores, storage_uri=bare), "s"):
        tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
        assert postgres.ask(tables, database=bare.rpartition("/")[2]) == [(0,)], "a lease makes no database its own"


def test_a_lease_whose_session_this_side_gave_up_is_taken_again(stores, unwatched):
    """As after Ctrl-C in the midst of a question: SQLAlchemy gives the connection up."""
    with study_lease(stores, "s") as lease:
        lease.server._connection.invalidate()
        wait_until(lambda: not is_held(stores, "s"))
        lease.require()
        assert is_held(stores, "s")


def test_a_lease_is_taken_as_soon_as_there_is_room_to_count_it(stores, postgres, monkeypatch):
    database, told = stores.storage_uri.rpartition("/")[2], []
    with study_lease(stores, "s"):
        pass
    postgres.ask(FULL, database=database)
    trigger = "CREATE TRIGGER full_disk BEFORE UPDATE ON patchscale_leases EXECUTE FUNCTION full_disk()"
    postgres.ask(trigger, database=database)

    def make_room(line):
        if not told:
            assert is_held(stores, "s")
            postgres.ask("DROP TRIGGER full_disk ON patchscale_leases", database=database)
        told.append(line)

    monkeypatch.setattr(patience.WAITING, "tell", make_room)
    with study_lease(stores, "s") as lease:
        lease.require()
    assert "No space left on device" in told[0] and "answers again" in told[1]


def test_a_connection_that_only_this_side_knows_to_be_lost_does_not_hold_the_study_against_itself(stores, postgres):
    with Proxy(postgres.port) as proxy:
        here = replace(stores, storage_uri=stores.storage_uri.replace(str(postgres.port), str(proxy.port)))
        with study_lease(here, "s") as lease:
            proxy.tear()
            assert is_held(stores, "s"), "by a session of which the server does not know that its client is gone"
            lease.require()
            with pytest.raises(StoreError, match=f"in use by process {os.getpid()}"), study_lease(stores, "s"):
                pass
            lease.require()
    wait_until(lambda: not is_held(stores, "s"))


def test_a_holder_that_is_killed_frees_its_study_at_once(stores, machine):
    east = machine("east")
    process = east.start_program([sys.executable, "-c", HOLD, "s"])
    assert process.stdout.readline() == "held\n"
    (holder,) = holders(stores, ["s"]).values()
    assert (holder.pid, holder.host) == (str(process.pid), "east")
    with pytest.raises(StoreError, match=rf"process {process.pid}; .* \(on east since"), study_lease(stores, "s"):
        pass
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    wait_until(lambda: not is_held(stores, "s"))
    with study_lease(stores, "s"):
        pass


def test_a_server_gives_up_a_session_whose_machine_is_gone_and_none_that_only_waits(stores, postgres):
    with study_lease(stores, "s"):
        shown = "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'patchscale %%'"
        assert postgres.ask(shown), "every role reads who holds what"
    connection = connect(stores.storage_uri)
    query = "SELECT name, setting::int FROM pg_settings WHERE name LIKE 'tcp_keep%' OR name = 'idle_session_timeout'"
    told = dict(tuple(row) for row in ask(connection, query))
    connection.close()
    silent = told["tcp_keepalives_idle"] + told["tcp_keepalives_interval"] * told["tcp_keepalives_count"]
    assert 0 < silent <= 60 and told["idle_session_timeout"] == 0


def test_two_machines_at_once_work_on_a_study_one_after_the_other(machine, storage_url, monkeypatch):
    machines = [machine("east"), machine("west")]
    command = [*HPO, "together", "--trials", "7", "--max-epochs", "2"]
    started = [each.start(*command) for each in machines]
    said = [process.communicate(timeout=1500)[0] for process in started]
    codes = [process.returncode for process in started]
    assert sorted(codes) == [0, 2], said
    first, second = (machines[codes.index(code)] for code in (0, 2))
    refused = said[codes.index(2)]
    whole = rf"study together in use by process \d+; wait for it, .* \(on {first.host} since \S+ \S+ UTC\)"
    assert re.search(whole, refused) and len(refused.splitlines()) == 1, refused
    again = second.run(*command)
    assert "7/7 trials done" in again
    monkeypatch.chdir(second.directory)
    study = load_study(resolve_stores(second.environment["MLFLOW_TRACKING_URI"], storage_url), "together")
    states = [trial.state.name for trial in study.schedule.trials]
    assert states == ["COMPLETE"] * 7, "the target exactly, and nothing doubled"
    statuses = [run.info.status for run in study.runs("trial")]
    assert statuses == ["FINISHED"] * 7
    assert study.client.get_run(study.run_id).info.status == "FINISHED"
    assert alive_elsewhere(study.schedule) == set()


def test_what_only_looks_sees_who_works_and_advises_nothing_that_harms(machine, storage_url, monkeypatch):
    east, west = machine("east"), machine("west")
    working = east.start(*HPO, "seen", "--trials", "6", "--max-epochs", "400", "--patience", "400")
    for line in working.stdout:
        if "trials done" in line:
            break
    refused = west.run(*HPO, "seen", "--trials", "6", code=2)
    assert "on east since" in refused and len(refused.splitlines()) == 1, refused
    assert "on east since" in west.run("supplement", "seen", code=2)
    assert "on east since" in west.run("reconcile", "seen", code=2)
    (row,) = [line for line in west.run("status").splitlines() if line.strip().startswith("seen ")]
    assert "running on east" in row and "repeat" not in row
    assert "repeat" not in west.run("audit", "seen", code=None)
    monkeypatch.chdir(west.directory)
    study = load_study(resolve_stores(west.environment["MLFLOW_TRACKING_URI"], storage_url), "seen")
    (line,) = [line for line in west.run("verify", code=None).splitlines() if "runs: " in line]
    running = [run.info.run_id[:8] for run in study.runs(status="RUNNING")]
    assert study.run_id[:8] in running and not any(run_id in line for run_id in running), line
    assert working.poll() is None


def test_four_machines_that_are_the_first_in_empty_databases_make_them_together(machine, postgres):
    tracking, storage = (postgres.url(postgres.create()) for _ in range(2))
    machines = [machine(name, tracking, storage) for name in ("east", "west", "north", "south")]
    started = [each.start_program([sys.executable, "-c", FIRST], interpreter=False) for each in machines]
    said = [process.communicate(timeout=1500)[0] for process in started]
    assert [process.returncode for process in started] == [0] * 4, said


@pytest.mark.parametrize("connects", [(open_tracking, open_storage), (open_storage, open_tracking)])
def test_what_keeps_another_schema_in_a_database_is_left_alone(postgres, tmp_path, monkeypatch, connects):
    monkeypatch.chdir(tmp_path)
    uri = postgres.url(postgres.create())
    with pytest.raises(StoreError, match="tracking_uri and storage must be two databases"):
        resolve_stores(uri, uri.replace("postgresql:", "postgresql+psycopg:"))
    both = resolve_stores(uri, uri.replace("127.0.0.1", "localhost"))
    first, second = connects
    first(both)
    query = "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'"
    (made,) = postgres.ask(query, database=uri.rpartition("/")[2])
    with pytest.raises(StoreError, match=r"only (MLflow|Optuna) keeps a schema, .*; name a database of its own"):
        second(both)
    assert postgres.ask(query, database=uri.rpartition("/")[2]) == [made]
