"""What of a cluster needs none that runs; the rest is in tests/servers/test_ray.py."""

import pytest

from pipeline.exceptions import LONGEST, InputError
from search.workers import cluster
from search.workers.cluster import connected_to, in_one_line


@pytest.mark.lesson("L41")
def test_an_error_is_said_in_one_line_without_secrets():
    said = in_one_line(ValueError("died\n\tat postgresql://me:secret-7@host/db " + "x" * 900))
    assert said.startswith("ValueError: died at postgresql://me:***@host/db") and len(said) <= LONGEST


def test_a_cluster_that_is_not_there_is_said_at_once():
    with pytest.raises(InputError, match=r"address must be that of a Ray cluster .* got 127\.0\.0\.1:9 \(Conn"):
        with connected_to("127.0.0.1:9"):
            pass
    assert not cluster.ray().is_initialized()


def test_a_ray_that_can_not_start_here_is_said_in_one_line_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "SHORT_DIRECTORY", str(tmp_path / ("long" * 30)))
    (tmp_path / ("long" * 30)).mkdir()
    with pytest.raises(InputError, match=r"^engine ray must be able to start Ray on this machine, got OSError: .*107"):
        with connected_to(""):
            pass
    assert not cluster.ray().is_initialized() and not list((tmp_path / ("long" * 30)).iterdir())
