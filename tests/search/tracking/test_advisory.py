"""What needs no server; the rest is in tests/servers/test_leases.py."""

import os
import socket

import pytest

from search.tracking.advisory import LONGEST_NAME, application_name, key_of, read_name


@pytest.mark.lesson("L40")
@pytest.mark.parametrize("host", ["a", "x" * 200, "east.example.org"])
def test_a_name_that_postgresql_keeps_whole_says_who_holds_a_lease(monkeypatch, host):
    monkeypatch.setattr(socket, "gethostname", lambda: host)
    for brief in (True, False):
        name = application_name(2**31, brief)
        found = read_name(name)
        assert len(name) <= LONGEST_NAME and (found.pid, found.since, found.brief) == (str(os.getpid()), 2**31, brief)
        assert host.startswith(found.host) and len(found.host) >= min(len(host), 25)


@pytest.mark.parametrize("name", ["", "psql", "patchscale", "patchscale x@y 1 long", "patchscale 1@y 1 long more"])
def test_who_says_nothing_is_unknown(name):
    assert str(read_name(name)) == "unknown"


def test_names_have_keys_of_their_own_that_fit():
    keys = {key_of(f"study-{i}{part}") for i in range(1000) for part in ("", ".walkforward", ".campaign")}
    assert len(keys) == 3000 and all(-(2**63) <= key < 2**63 for key in keys)
