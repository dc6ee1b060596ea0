"""What of the actors needs no cluster; the rest is in tests/servers/test_ray.py."""

import subprocess
import sys

import pytest

from pipeline.exceptions import LONGEST, InputError
from search.workers import ray
from search.workers.ray import BROKEN, RayHand, connected_to, in_one_line


def test_ray_is_imported_by_nothing_but_its_use():
    script = "import sys, search.cli, search.hpo.command, search.walk_forward.command, search.workers.ray\n"
    script += "assert not [name for name in sys.modules if name == 'ray' or name.startswith('ray.')]"
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.lesson("L41")
def test_what_ends_an_actor_is_said_in_one_line_without_secrets():
    said = in_one_line(ValueError("died\n\tat postgresql://me:secret-7@host/db " + "x" * 900))
    assert said.startswith("ValueError: died at postgresql://me:***@host/db") and len(said) <= LONGEST
    hand = RayHand()
    hand.order(["sqlite:///gone.db"])
    hand._work("search.workers.worker", "s", "cpu")
    event = hand._mail.said.get()
    assert event["event"] == BROKEN and event["error"].startswith("ValueError:")
    assert hand._mail.said.get() is None, "its stream ends"


def test_a_cluster_that_is_not_there_is_said_at_once():
    with pytest.raises(InputError, match=r"address must be that of a Ray cluster .* got 127\.0\.0\.1:9 \(Conn"):
        with connected_to("127.0.0.1:9"):
            pass
    assert not ray.ray().is_initialized()
