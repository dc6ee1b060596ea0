import os
import subprocess
import sys
import threading

import pytest

from pipeline.exceptions import StoreError
from pipeline.file_lock import file_lock, open_lock, try_lock

HOLD = """
import sys
from pathlib import Path
from pipeline.file_lock import file_lock
with file_lock(Path(sys.argv[1])):
    print("held", flush=True)
    input()
"""


def test_one_at_a_time_and_the_next_waits(tmp_path):
    path, order = tmp_path / "made" / "x.lock", []

    def wait():
        with file_lock(path):
            order.append("second")

    with file_lock(path):
        waiting = threading.Thread(target=wait)
        waiting.start()
        waiting.join(0.2)
        order.append("first")
    waiting.join(60)
    assert order == ["first", "second"]


@pytest.mark.lesson("L40")
def test_a_process_that_is_killed_leaves_it_free(tmp_path):
    path = tmp_path / "x.lock"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment()
    )
    assert holder.stdout.readline() == b"held\n"
    handle = open_lock(path)
    assert not try_lock(handle)
    holder.kill()
    holder.communicate()
    assert try_lock(handle)
    os.close(handle)


def environment():
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


def test_a_lock_that_can_not_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(StoreError, match=r"make its lock, got .*file/x\.lock \(.*\); free space or make") as found:
        open_lock(tmp_path / "file" / "x.lock")
    assert "\n" not in str(found.value)


def test_several_share_a_lock_that_nobody_holds_alone(tmp_path):
    one, other = (open_lock(tmp_path / "x.lock") for _ in "12")
    assert try_lock(one, shared=True) and try_lock(other, shared=True)
    assert not try_lock(other)
    os.close(other)
    assert try_lock(one)
    other = open_lock(tmp_path / "x.lock")
    assert not try_lock(other, shared=True)
    os.close(one)
    os.close(other)
