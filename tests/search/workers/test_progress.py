import io

import pytest
from rich.console import Console

from search.workers.progress import StudyProgress


@pytest.mark.lesson("L34")
def test_a_log_has_one_line_for_every_way_that_a_trial_ends():
    console = Console(file=io.StringIO(), width=200)
    result = {"label": "tiny", "n_params": 5000, "epochs": 2, "loss": 0.42, "base_rate_loss": 0.47, "roc_auc": 0.7}
    events = [
        {"event": "started", "number": 0},
        {"event": "epoch", "number": 0, "epoch": 1, "of": 2},
        {"event": "finished", "number": 0, "seconds": 3.0, **result},
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
