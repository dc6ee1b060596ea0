import fcntl
import os
import subprocess
import sys

import pytest

from pipeline.exceptions import StoreError
from search.tracking.locks import is_locked, registry_lock, study_lock


def test_one_command_at_a_time_and_the_lock_outlives_its_holder_in_workers(stores):
    with study_lock(stores, "s") as handle:
        with pytest.raises(StoreError, match=f"in use by process {os.getpid()}"), study_lock(stores, "s"):
            pass
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=(handle,))
    probe = os.open(stores.home / "locks" / "s.lock", os.O_RDWR)
    with pytest.raises(BlockingIOError):
        fcntl.flock(probe, fcntl.LOCK_EX | fcntl.LOCK_NB)
    child.communicate(b"\n")
    fcntl.flock(probe, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(probe)


def test_a_lock_is_waited_for_as_long_as_is_asked(stores):
    with registry_lock(stores, "m"):
        with pytest.raises(StoreError, match=r"m\.registry in use"), registry_lock(stores, "m", wait=0.3):
            pass


def test_whether_a_study_is_worked_on_is_seen_without_taking_it(stores):
    assert not is_locked(stores, "s")
    with study_lock(stores, "s"):
        assert is_locked(stores, "s")
    assert not is_locked(stores, "s") and (stores.home / "locks" / "s.lock").exists()
