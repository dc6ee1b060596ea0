import io
import json
import sys
from dataclasses import asdict

import pytest

from search.walk_forward import worker
from search.walk_forward.forecast import Job


class Exited(Exception):
    pass


def test_it_reads_lines_and_leaves_when_its_input_closes(monkeypatch):
    def leave(code):
        raise Exited(code)

    lines = worker.queue.SimpleQueue()
    monkeypatch.setattr(worker.os, "_exit", leave)
    job = json.dumps(asdict(Job(year=2016, seed=1, n_epochs=2)))
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"setup\n{job}\n"))
    with pytest.raises(Exited, match="0"):
        worker._listen(lines)
    assert lines.get() == "setup\n" and Job(**json.loads(lines.get())) == Job(year=2016, seed=1, n_epochs=2)
