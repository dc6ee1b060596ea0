import io

import pytest
from rich.console import Console

from search.workers import progress as module
from search.workers.progress import LINE_EVERY_SECONDS, StudyProgress

RESULT = {"label": "tiny", "n_params": 5000, "epochs": 2, "loss": 0.42, "base_rate_loss": 0.47, "roc_auc": 0.7}


@pytest.fixture
def clock(monkeypatch):
    """Seconds that the progress reads, for a test to move."""
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def drawn(progress):
    console = Console(file=io.StringIO(), width=100)
    console.print(progress.table())
    return console.file.getvalue().splitlines()


def test_a_terminal_has_a_row_a_trial_at_work_with_its_loss_beside_the_base_rate(clock):
    console = Console(file=io.StringIO(), width=100, force_terminal=True)
    progress = StudyProgress(console, finished=1, target=4)
    progress.hand_out(1, "d64-L2-h4-ff128")
    progress.hand_out(2, "d32-L4-h2-ff64")
    clock[0] = 30.0
    progress.event({"event": "epoch", "number": 2, "epoch": 1, "of": 5, "loss": 0.41234, "base_rate_loss": 0.4728})
    clock[0] = 40.0
    head, first, second, bar = drawn(progress)
    assert head.split() == ["trial", "architecture", "epoch", "loss", "base", "rate", "time", "left"]
    assert first.split() == ["1", "d64-L2-h4-ff128", "starting", "–", "–", "40", "s", "–"]
    assert second.split() == ["2", "d32-L4-h2-ff64", "1/5", "0.4123", "0.4728", "40", "s", "110", "s"]
    assert "1/4" in bar and bar.rstrip().endswith("about 9 min left"), "0.2 of 3 trials took 40 s"
    progress.event({"event": "finished", "number": 2, "seconds": 3.0, **RESULT})
    progress.take_back(1)
    assert len(drawn(progress)) == 1, "nothing is at work"


def test_the_table_stands_on_a_terminal_alone():
    for terminal in (True, False):
        console = Console(file=io.StringIO(), width=100, force_terminal=terminal)
        with StudyProgress(console, finished=0, target=1) as progress:
            progress.hand_out(0, "d8-L1-h1-ff16")
        assert ("d8-L1-h1-ff16" in console.file.getvalue()) == terminal


@pytest.mark.parametrize("variable", ["FORCE_COLOR", "CLICOLOR_FORCE", "TTY_COMPATIBLE"])
def test_a_pipe_is_a_log_whoever_asks_for_colours(monkeypatch, capsys, variable):
    monkeypatch.setenv(variable, "1")
    with StudyProgress(module.make_console(), finished=0, target=1) as progress:
        progress.hand_out(0, "d8-L1-h1-ff16")
        progress.say("a line")
    assert capsys.readouterr().out == "a line\n"


def test_a_log_hears_of_epochs_now_and_then_and_of_the_time_left(clock):
    console = Console(file=io.StringIO(), width=200)
    progress = StudyProgress(console, finished=0, target=3)
    progress.hand_out(0, "tiny")
    for epoch in (1, 2):
        clock[0] += LINE_EVERY_SECONDS / 2 + 1
        progress.event({"event": "epoch", "number": 0, "epoch": epoch, "of": 4, "loss": 0.4, "base_rate_loss": 0.47})
    progress.event({"event": "finished", "number": 0, "seconds": 3.0, **RESULT})
    said, finished = console.file.getvalue().splitlines()
    assert said == "trial 0  tiny  epoch 2/4  loss 0.4000 (base rate 0.4700)  62 s  about 5 min left"
    assert finished.startswith("[1/3] trial 0  tiny") and finished.endswith("  about 2 min left")


@pytest.mark.lesson("L34")
def test_a_log_has_one_line_for_every_way_that_a_trial_ends():
    console = Console(file=io.StringIO(), width=200)
    events = [
        {"event": "started", "number": 0},
        {"event": "epoch", "number": 0, "epoch": 1, "of": 2},
        {"event": "finished", "number": 0, "seconds": 3.0, **RESULT},
        {"event": "pruned", "number": 1},
        {"event": "reused", "number": 2, "earlier": 0},
        {"event": "failed", "number": 3, "error": "loss must be finite, got nan"},
        {"event": "interrupted", "number": 4},
    ]
    with StudyProgress(console, finished=0, target=5) as progress:
        for event in events:
            progress.event(event)
    lines = console.file.getvalue().splitlines()
    assert lines[0].startswith("[1/5] trial 0  tiny  5,000 params  2 epochs  loss 0.4200 (base rate 0.4700)")
    words = ("trial 1 pruned", "trial 2 is trial 0 again", "trial 3 failed: loss must be finite", "trial 4 stopped")
    assert len(lines) == 5 and all(line.startswith(word) for line, word in zip(lines[1:], words, strict=True))
