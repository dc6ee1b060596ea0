import json

import pytest
from rich.console import Console

from search.audit.status_table import COLUMNS, EMPTY, state_in_words, status_table, watch


@pytest.mark.lesson("L18")
def test_the_table_shows_every_column_beside_the_base_rate(make_trained, command):
    study = make_trained(2, 2)
    code, out, _ = command("status")
    best = min(study.finished(), key=lambda t: t.value).user_attrs["result"]
    assert code == 0
    assert all(column in out for column in COLUMNS)
    for text in (study.plan.study, "5K", "h1", "high +1 %", "2/2", "complete", "2 of 6 extremes"):
        assert text in out
    assert f"{best['loss']:.4f}" in out and f"{best['base_rate_loss']:.4f}" in out and f"{best['skill']:+.3f}" in out
    (state,) = json.loads(command("status", "--json")[1])
    assert state["best_architecture"] == best["label"]


@pytest.mark.lesson("L3")
def test_what_is_unknown_is_shown_as_unknown_at_any_width(capsys):
    states = [{"study": "theirs", "state": "imported", "issues": ["n_heads unknown in 12 imported trials"]}]
    for width in (80, 140):
        Console(width=width).print(status_table(states, width))
        out = capsys.readouterr().out
        assert "unknown" in out and "imported" in out
        assert "n_heads unknown in 12 imported trials" in out if width == 80 else "n_heads" in out


def test_watch_prints_a_changed_table_and_ends_with_ctrl_c(capsys):
    row = {"study": "s", "state": "queued", "issues": []}
    answers = iter([[row], [row], [{**row, "state": "complete"}]])

    def read():
        try:
            return next(answers)
        except StopIteration:
            raise KeyboardInterrupt from None

    watch(read, Console(width=140), pause=0)
    out = capsys.readouterr().out
    assert (out.count("queued"), out.count("complete")) == (1, 1)


def test_no_study_yet_is_said_with_what_starts_one():
    assert status_table([]) == EMPTY


@pytest.mark.parametrize("width", [100, 140, 200])
def test_every_study_is_a_row_and_its_issues_are_whole_at_any_width(capsys, width):
    states = [{"study": f"s{i}", "state": "queued", "issues": [f"issue{i}", "more"]} for i in range(3)]
    Console(width=width).print(status_table(states, width))
    out = capsys.readouterr().out
    assert all(f"s{i}" in out and f"issue{i}; more" in out for i in range(3))


@pytest.mark.parametrize(
    ("left", "words"), [(None, "running, time left unknown"), (0.0, "running, 0 s left"), (90.0, "running, 2 min left")]
)
def test_time_left_is_said_or_unknown(left, words):
    assert state_in_words({"state": "running", "seconds_left": left}) == words


@pytest.mark.lesson("L48")
@pytest.mark.parametrize("width", [80, 140])
def test_what_had_no_say_stands_below_the_table_at_any_width(capsys, width):
    state = {"study": "s", "state": "complete", "issues": [], "note": "attention is uniform in 8 of 8 trials"}
    Console(width=width).print(status_table([state, {**state, "study": "t", "note": ""}], width))
    out = capsys.readouterr().out
    assert out.count("note: s: attention is uniform in 8 of 8 trials") == 1 and "note: t" not in out
