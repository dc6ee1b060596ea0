import os

import pytest

from search.workers.count import count_cores, count_workers


@pytest.fixture
def cores(monkeypatch):
    """A process that may use two cores of a machine with eight."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 3}, raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)


@pytest.mark.lesson("L33")
@pytest.mark.parametrize(
    ("text", "device", "expected"), [("auto", "cpu", 2), ("auto", "cuda", 1), ("auto", "mps", 1), ("5", "cuda", 5)]
)
def test_auto_is_a_process_a_core_that_is_ours_and_one_on_a_gpu(cores, text, device, expected):
    assert count_workers(text, device) == expected


def test_a_machine_that_does_not_say_counts_all_or_one(cores, monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity")
    assert count_cores() == 8
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert count_cores() == 1
