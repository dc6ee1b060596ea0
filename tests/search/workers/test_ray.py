"""What of the actors needs no cluster; the rest is in tests/servers/test_ray.py."""

import subprocess
import sys

import pytest

from search.workers.ray import BROKEN, RayHand


@pytest.mark.slow
def test_ray_is_imported_by_nothing_but_its_use_and_what_trains_only_after_a_command_was_not_refused():
    script = "import sys, search.cli, search.hpo.command, search.hpo.campaign\n"
    script += "assert not {'torch', 'sklearn', 'mlflow', 'matplotlib'} & set(sys.modules)\n"
    script += "import search.walk_forward.command, search.workers.ray\n"
    script += "assert not [name for name in sys.modules if name == 'ray' or name.startswith('ray.')]"
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.lesson("L41")
def test_what_ends_an_actor_is_the_last_that_it_says():
    hand = RayHand()
    hand.order(["sqlite:///gone.db"])
    hand._work("search.workers.worker", "s", "cpu")
    event = hand._mail.said.get()
    assert event["event"] == BROKEN and event["error"].startswith("ValueError:")
    assert hand._mail.said.get() is None, "its stream ends"
