import os
import socket

import pytest

from pipeline.exceptions import StoreError
from search.tracking.holder import DEAD_OWNER_SECONDS, SAY_AFTER, Holder, acquire, in_use, is_alive, owned

GONE = str(2**22 + 1)


@pytest.mark.parametrize(
    ("holder", "said"),
    [
        (Holder(pid="7", host="east", since=1764152229), "7 on east since 2025-11-26 10:17:09 UTC"),
        (Holder(pid="7"), "7"),
        (Holder(), "unknown"),
    ],
)
def test_a_holder_is_told_as_far_as_it_is_known(holder, said):
    assert str(holder) == said
    pid, _, place = said.partition(" ")
    message = str(in_use(owned("s"), holder))
    assert f"study s in use by process {pid}; wait for it" in message
    assert message.endswith(f"({place})" if place else "this command")


def test_only_of_its_own_machine_can_be_told_whether_a_process_is_gone():
    assert Holder(pid=GONE).is_gone and Holder(pid=GONE, host=socket.gethostname()).is_gone
    assert not Holder(pid=GONE, host="elsewhere").is_gone and not Holder(pid=str(os.getpid())).is_gone
    assert is_alive(str(os.getpid())) and not is_alive("") and not is_alive(GONE)


@pytest.mark.lesson("L40")
def test_a_brief_holder_is_waited_for_and_named_with_its_machine(capsys):
    answers = iter([False] * int(SAY_AFTER / 0.2 + 2))
    acquire(lambda: next(answers, True), lambda: Holder(pid="7", host="elsewhere", brief=True), owned("s"), wait=1500)
    assert capsys.readouterr().err == "note: study s in use by process 7 on elsewhere: waiting for it\n"
    with pytest.raises(StoreError, match="process 7; wait"):
        acquire(lambda: False, lambda: Holder(pid="7", host="elsewhere"), owned("s"), wait=DEAD_OWNER_SECONDS)
