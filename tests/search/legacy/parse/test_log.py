import gzip
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.exceptions import InputError
from search.legacy.parse import log as parse_log
from search.legacy.parse import spilled, stream
from search.legacy.record.importer import parse_files

STUDY = "[I 2025-12-12 00:00:00,000] A new study created in memory with name: phase6a_2M_h1_threshold_1pct"
PER_TRIAL = 10_000
HELD_PER_TRIAL = 800
BEST = " Best is trial 0 with value: 0.1."


def stamp(second):
    return f"[I 2025-12-13 03:51:{second:02d},140] "


def start(number, arch_idx=57, lr="0.000100", heads="", second=1, rest="batch_size=32"):
    return (
        f"{stamp(second)}Trial {number}: arch_idx={arch_idx}, d_model=64, n_layers=48{heads}, params=2,414,273, "
        f"lr={lr}, epochs=50, {rest}"
    )


def finish(number, value="0.3369", params="'arch_idx': 57, 'learning_rate': 0.00010020362668192803", best=BEST):
    return f"{stamp(59)}Trial {number} finished with value: {value} and parameters: {{{params}}}.{best}"


@pytest.fixture
def read(parse):
    return lambda *lines: parse("\n".join(lines) + "\n", "study.log")


@pytest.mark.lesson("L1")
def test_form_a_and_its_finish(read):
    [trial], _ = read(STUDY, start(7), finish(7))
    a = trial.architecture
    assert (a.d_model, a.n_layers, a.n_heads, a.d_ff, a.n_params) == (64, 48, 8, 256, 2414273)
    assert a.n_heads_origin == "recovered (grid v1, 20 features)"
    assert trial.training == {"learning_rate": 0.00010020362668192803, "epochs": 50, "batch_size": 32}
    assert (trial.study, trial.budget, trial.horizon, trial.number) == ("phase6a_2M_h1_threshold_1pct", "2M", 1, 7)
    assert (trial.outcome.status, trial.outcome.objective, trial.outcome.value) == ("FINISHED", "loss", 0.3369)
    assert (trial.form, trial.where) == ("log A", "line 2 and 3")
    assert trial.notes == {"started": "2025-12-13 03:51:01,140", "ended": "2025-12-13 03:51:59,140"}


def test_form_b_says_its_heads(read):
    [trial], _ = read(start(7, heads=", n_heads=8"), finish(7))
    assert (trial.architecture.n_heads_origin, trial.architecture.grids) == ("in the source", "grid v1, 20 features")
    assert (trial.study, trial.budget, trial.horizon) == (None, None, None)


def test_form_c_with_a_forced_dropout(read):
    line = start(7, heads=", n_heads=8", rest="batch=256x1, dropout=0.27")
    params = "'arch_idx': 57, 'learning_rate': 0.0001, 'dropout': 0.1612"
    [trial], report = read(
        "   → Forced dropout=0.27 for diversity (was 0.16, prev=0.15)", line, finish(7, params=params)
    )
    assert trial.training["dropout"] == 0.27
    assert trial.training["batch"] == "256x1"
    assert "batch_size" not in trial.training
    assert trial.flags == ("dropout was forced to 0.27, drawn was 0.16",)
    assert report.skipped == {}


def test_a_forced_dropout_of_another_trial_is_skipped(read):
    _, report = read("→ Forced dropout=0.30 for diversity (was 0.16, prev=None)", start(7), finish(7))
    assert report.skipped == {"forced dropout of no trial": [[1, 1]]}


@pytest.mark.lesson("L4")
def test_a_forced_trial_whose_finish_has_no_index(read):
    [trial], _ = read(start(0), finish(0, params="'learning_rate': 0.0001"))
    assert trial.arch_idx == 57
    assert trial.architecture.n_heads == 8


@pytest.mark.lesson("L25")
@pytest.mark.parametrize(
    ("value", "status", "kept"),
    [("inf", "FAILED", None), ("nan", "FAILED", None), ("100.0", "FAILED", None), ("1e-05", "FINISHED", 1e-05)],
)
def test_odd_values(read, value, status, kept):
    [trial], _ = read(start(7), finish(7, value=value, best=""))
    assert (trial.outcome.status, trial.outcome.value) == (status, kept)
    assert trial.outcome.value_text == ("" if kept is not None else value)


def test_a_trial_without_a_finish_line_is_unfinished(read):
    [trial], _ = read(start(7))
    assert (trial.outcome.status, trial.outcome.reason) == ("KILLED", "unfinished: no value")


def test_pruned_and_failed(read):
    pruned, failed = read(
        start(1), start(2), f"{stamp(3)}Trial 1 pruned. ", f"{stamp(4)}Trial 2 failed with value nan."
    )[0]
    assert (pruned.outcome.status, pruned.outcome.reason) == ("KILLED", "pruned")
    assert (failed.outcome.status, failed.outcome.reason) == ("FAILED", "with value nan.")


def test_interleaved_trials_find_their_own_finish(read):
    lines = (start(1, lr="0.000100"), start(2, lr="0.000300"), start(3, lr="0.000500"))
    ends = [finish(n, value=f"0.{n}", params=f"'learning_rate': 0.000{2 * n - 1}") for n in (3, 1, 2)]
    trials, _ = read(*lines, *ends)
    assert [(t.number, t.outcome.value, t.training["learning_rate"]) for t in trials] == [
        (1, 0.1, 0.0001),
        (2, 0.2, 0.0003),
        (3, 0.3, 0.0005),
    ]


def test_a_number_used_again_after_a_restart_is_another_trial(read):
    trials, _ = read(start(3, lr="0.000900"), start(3, lr="0.000100", second=9), finish(3))
    assert [t.outcome.status for t in trials] == ["KILLED", "FINISHED"]
    same, _ = read(start(3), start(3, second=9), finish(3))
    assert [t.outcome.status for t in same] == ["KILLED", "FINISHED"]


def test_an_end_that_fits_no_start_or_several_stands_alone(read):
    alone, flagged = read(start(3, lr="0.000900"), finish(3))[0]
    assert (alone.outcome.status, flagged.form) == ("KILLED", "log end")
    assert flagged.flags == ("no start line fits this end of trial 3: see lines 1",)
    several, _ = read(start(3, lr="0.000900"), start(3, lr="0.000100"), f"{stamp(9)}Trial 3 pruned. ")
    assert several[2].flags == ("more than one start line fits this end of trial 3: see lines 1, 2",)


@pytest.mark.lesson("L3")
def test_a_truncated_head_leaves_the_architecture_unknown(read):
    [trial], _ = read(finish(7))
    a = trial.architecture
    assert [a.d_model, a.n_layers, a.n_heads, a.d_ff, a.n_params] == [None] * 5
    assert a.candidates
    assert (trial.arch_idx, trial.outcome.value) == (57, 0.3369)


def test_lines_that_are_skipped_are_listed(parse):
    text = "\n".join(["hello", "Epoch 1", start(7), "Trial 8: arch_idx=57, d_mod", "x" * 20_000, finish(7), start(9)])
    trials, report = parse(text, "study.log")
    assert len(trials) == 1
    assert report.skipped == {
        parse_log.FOREIGN: [[1, 2]],
        parse_log.BROKEN: [[4, 4]],
        parse_log.LONG: [[5, 5]],
        parse_log.UNFINISHED_LINE: [[7, 7]],
    }
    assert report.lines == 7


def test_studies_one_after_the_other_keep_their_names(read):
    other = STUDY.replace("2M_h1", "2M_h3")
    trials, _ = read(STUDY, start(0), finish(0), other, start(0, second=9), finish(0))
    assert [t.horizon for t in trials] == [1, 3]


def test_studies_that_are_mixed_are_of_unknown_name(read):
    other = STUDY.replace("2M_h1", "2M_h3")
    for lines in ((STUDY, start(0), other, finish(0)), (STUDY, other, start(0), finish(0))):
        [trial], _ = read(*lines)
        assert (trial.study, trial.horizon) == (None, None)
        assert "lines of several studies are mixed" in trial.flags[0]


def test_a_value_that_was_maximised_is_not_called_a_loss(read):
    [trial], _ = read(start(1), finish(1, value="0.65", best=" Best is trial 0 with value: 0.71."))
    assert trial.outcome.objective == "unknown"


def test_a_negative_index_is_no_position(read):
    [trial], _ = read(start(1, arch_idx=-1))
    assert trial.arch_idx is None
    assert trial.architecture.n_heads is None
    assert "arch_idx must be a whole number from 0" in trial.flags[0]


def test_starts_that_never_end_do_not_pile_up(read):
    trials, _ = read(*[start(1)] * 2000, *[finish(1, params="'arch_idx': 58")] * 200)
    assert len(trials) == 2200


def test_a_log_without_trials_is_refused(read):
    with pytest.raises(InputError, match=r"got none in study\.log"):
        read("Epoch 1", "Epoch 2")


FAILED_WITH = (
    f"{stamp(3)}Trial 2 failed with parameters: {{'arch_idx': 57, 'learning_rate': 0.0001, 'weight_decay': 0.001}} "
    "because of the following error: RuntimeError('MPS backend out of memory')."
)
FAILED = f"{stamp(3)}Trial 2 failed with value None."


@pytest.mark.parametrize("lines", [(FAILED_WITH, FAILED), (FAILED, FAILED_WITH), (FAILED_WITH,)])
@pytest.mark.parametrize("begun", [True, False])
def test_a_failure_is_one_run_with_its_settings_however_many_lines_say_it(read, lines, begun):
    [trial] = read(*([start(2)] if begun else []), *lines)[0]
    assert (trial.outcome.status, trial.outcome.reason) == ("FAILED", "RuntimeError('MPS backend out of memory')")
    assert trial.training["weight_decay"] == 0.001 and trial.arch_idx == 57


def test_a_number_that_fails_again_after_it_began_again_is_another_failure(read):
    first, second = read(start(2), FAILED_WITH, FAILED, start(2, second=9), FAILED_WITH, FAILED)[0]
    assert (first.outcome.status, second.outcome.status) == ("FAILED", "FAILED")


def test_what_was_trained_beats_what_was_drawn_where_no_line_says_that_it_was_forced(read):
    line = start(7, heads=", n_heads=8", rest="batch=256x1, dropout=0.27")
    [trial], _ = read(line, finish(7, params="'arch_idx': 57, 'learning_rate': 0.0001, 'dropout': 0.1612"))
    assert trial.training["dropout"] == 0.27
    assert trial.flags == ("dropout was 0.27 in training, drawn was 0.1612",)
    alone, _ = read(line, finish(7, params="'dropout': 0.1612"))
    assert len(alone) == 2, "too little says that they are of one trial"


COLOURED = "\x1b[32m[I 2025-12-13 03:51:01,140]\x1b[0m "
BAR = " 12%|█▏        | 6/50 [00:10<01:20,  1.83s/it]"


@pytest.mark.parametrize("before", ["", BAR, f"{BAR}\r", f"{BAR}\r  \r{BAR}\x1b[A\r", "\x1b[K"])
def test_bars_and_colours_change_nothing(parse, before):
    plain = "\n".join((STUDY, start(7), finish(7))) + "\n"
    lines = [COLOURED + line.removeprefix(stamp(1)) if line == start(7) else line for line in plain.splitlines()]
    [trial], _ = parse("".join(f"{before}{line}\r\n" for line in lines), "study.log")
    [same], _ = parse(plain, "study.log")
    assert (trial.fingerprint, trial.where) == (same.fingerprint, "line 2 and 3")


def test_bars_stand_before_lines_without_a_time_too(parse):
    text = "".join(f"{BAR}{line[len(stamp(1)) :]}\n" for line in (start(7), finish(7)))
    assert parse(text, "study.log")[0][0].outcome.status == "FINISHED"


def test_several_objectives_are_kept_and_none_is_the_value(read):
    several = f"{stamp(9)}Trial 7 finished with values: [0.31, 0.72] and parameters: {{'arch_idx': 57}}. "
    named = f"{stamp(9)}Trial 7 finished with value: {{'val_auc': 0.72}} and parameters: {{'arch_idx': 57}}."
    [trial] = read(start(7), several)[0]
    assert (trial.outcome.status, trial.outcome.value) == ("FINISHED", None)
    assert trial.figures == {"objective_0": 0.31, "objective_1": 0.72}
    assert read(start(7), named)[0][0].outcome.objective == "roc_auc"


@pytest.mark.slow
def test_memory_does_not_grow_with_the_length_of_a_log(tmp_path):
    def peak(epochs):
        path = tmp_path / "long.log.gz"
        bars = "".join(f"\r{n % 100:3d}%|█     | {n}/5000 [00:10<01:20,  1.83s/it]" for n in range(500))
        with gzip.open(path, "wt", compresslevel=1) as log:
            for n in range(epochs):
                log.write(f"{start(n)}\n{bars}\n" + "epoch 1 train_loss=0.5\n" * 500 + f"{finish(n)}\n")
        tracemalloc.start()
        trials = parse_files([path])[0][1].trials
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert len(trials) == epochs
        return found - epochs * PER_TRIAL

    assert peak(200) < peak(20) + 2**20


def named(number):
    return STUDY.replace("threshold", f"threshold{number}")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("lines", "held"),
    [
        (lambda n: [start(n), finish(n)], HELD_PER_TRIAL),
        (lambda n: [start(n)], HELD_PER_TRIAL),
        (lambda n: [finish(n)], HELD_PER_TRIAL),
        (lambda n: [named(n), start(0), finish(0)], 2 * HELD_PER_TRIAL),
        (lambda n: [*map(named, range(20 * n, 20 * n + 20)), *([] if n else [start(0), finish(0)])], 100),
    ],
    ids=["finished", "begun", "ended", "each in a study of its own", "studies without a trial"],
)
def test_memory_hardly_grows_with_the_trials_of_a_log(tmp_path, monkeypatch, lines, held):
    monkeypatch.setattr(spilled, "HELD", 1)
    monkeypatch.setattr(stream, "CHUNK", 4096)

    def peak(trials):
        path = tmp_path / "trials.log"
        path.write_text("\n".join([STUDY, *(line for n in range(trials) for line in lines(n))]) + "\n")
        tracemalloc.start()
        parse_files([path])
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    fewer, more = 120, 360
    peak(fewer)  # what the first reading loads stays
    assert peak(more) - peak(fewer) < held * (more - fewer)


LINES = (
    *(STUDY, start(1), start(2), start(1, heads=", n_heads=8"), finish(1), finish(2), finish(1, value="inf")),
    *("   → Forced dropout=0.27 for diversity (was 0.16, prev=0.15)", f"{stamp(3)}Trial 1 pruned.", "noise"),
)


@given(st.lists(st.sampled_from(LINES), max_size=8), st.integers(0, 60))
def test_any_order_and_any_cut_is_read_or_refused(parse, lines, cut):
    text = "\n".join(lines) + "\n"
    try:
        trials, report = parse(text[: len(text) - cut], "study.log")
    except InputError:
        return
    about = sum("Trial" in line for line in lines)
    assert len(trials) <= about
    assert len({trial.where for trial in trials}) == len(trials)
    assert report.lines <= len(lines)
