import os
import socket

import pytest

from pipeline.exceptions import StoreError
from pipeline.file_lock import file_lock
from search.tracking.lease import (
    Lease,
    brief_lease,
    campaign_lease,
    holders,
    is_held,
    refuse_if_held,
    registry_lease,
    store_lease,
    study_lease,
)
from search.tracking.locks import is_locked, lock_path, study_lock
from search.tracking.stores import resolve_stores


@pytest.mark.lesson("L40")
def test_beside_sqlite_a_lease_is_the_lock_of_a_file_that_workers_inherit(stores):
    with study_lease(stores, "s") as lease:
        assert os.fstat(lease.handle).st_ino == lock_path(stores, "s").stat().st_ino
        assert is_locked(stores, "s") and is_held(stores, "s")
        lease.require()
        (holder,) = holders(stores, ["s", "other"]).values()
        assert (holder.pid, holder.host, holder.brief) == (str(os.getpid()), socket.gethostname(), False)
        whole = rf"in use by process {os.getpid()}; .* \(on {socket.gethostname()} since 2\d{{3}}-\S+ \S+ UTC\)"
        for refused in (study_lease, brief_lease):
            with pytest.raises(StoreError, match=whole), refused(stores, "s"):
                pass
        with pytest.raises(StoreError, match=whole):
            refuse_if_held(stores, "s")
    assert holders(stores, ["s"]) == {}
    refuse_if_held(stores, "s")


@pytest.mark.lesson("L40")
def test_the_lock_lies_beside_the_schedule_wherever_a_command_works(stores, tmp_path, monkeypatch):
    shared = f"sqlite:///{tmp_path}/shared.db"
    with study_lease(resolve_stores(storage=shared), "s"):
        other = tmp_path / "other"
        other.mkdir()
        monkeypatch.chdir(other)
        elsewhere = resolve_stores(storage=shared)
        assert elsewhere.home != stores.home
        with pytest.raises(StoreError, match="study s in use by process"), study_lease(elsewhere, "s"):
            pass


def test_parts_and_brief_holders_are_told_apart(stores):
    with brief_lease(stores, "s.baselines"), study_lease(stores, "s.walkforward"), campaign_lease(stores, ["s", "t"]):
        assert [each.brief for each in holders(stores, ["s.baselines", "s.walkforward"]).values()] == [True, False]
        refuse_if_held(stores, "s.baselines")
        assert not is_held(stores, "s")
        with pytest.raises(StoreError, match="study t in the campaign of process"), campaign_lease(stores, ["t"]):
            pass
    with registry_lease(stores, "m"):
        with pytest.raises(StoreError, match=r"m\.registry in use"), registry_lease(stores, "m", wait=0.1):
            pass


def test_what_studies_share_is_held_by_one_at_a_time(stores):
    with store_lease(stores):
        handle = os.open(stores.home / "locks" / "store.lock", os.O_RDWR)
        with pytest.raises(BlockingIOError):
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(handle)


def test_who_is_gone_is_no_reason_to_refuse_before_its_workers_end(stores):
    path = lock_path(stores, "s")
    with file_lock(path):
        path.write_text(f"{2**22 + 1}\n\n{socket.gethostname()}\n1", encoding="utf-8")
        refuse_if_held(stores, "s")
        path.write_text(f"{2**22 + 1}\n\nelsewhere\n1", encoding="utf-8")
        with pytest.raises(StoreError, match="on elsewhere since 1970-01-01 00:00:01 UTC"):
            refuse_if_held(stores, "s")
        with pytest.raises(StoreError, match="on elsewhere"), study_lock(stores, "s"):
            pass


def test_a_lease_of_a_file_needs_no_proof():
    assert Lease().require() is None
