import pytest

from search.legacy.parse.log_lines import read_line
from search.legacy.parse.log_studies import Parts

NEW = "A new study created in memory with name: phase6a_2M_h{}_x"
STORED = "A new study created in RDB with name: phase6a_2M_h{}_x"
START = "Trial {}: arch_idx=57, d_model=64, n_layers=48, params=2,414,273, lr={}, epochs=50, batch_size=32"
FINISH = (
    "Trial {} finished with value: {} and parameters: {{'arch_idx': 57, 'learning_rate': {}}}. "
    "Best is trial {} with value: {}."
)
RATES = ("0.000100", "0.000200", "0.000300", "0.000400", "0.000500")


def start(number):
    return START.format(number, RATES[number % 5])


def finish(number, value, best, best_value):
    return FINISH.format(number, value, RATES[number % 5], best, best_value)


@pytest.fixture
def read(parse):
    return lambda *lines: parse("\n".join(lines) + "\n", "study.log")[0]


@pytest.mark.lesson("L45")
@pytest.mark.parametrize(
    "late",
    [
        [start(0), start(1), finish(0, 0.35, 0, 0.35), finish(1, 0.32, 0, 0.31)],
        [start(0), start(1), start(1), finish(1, 0.36, 1, 0.36)],
        [start(0), finish(0, 0.35, 0, 0.35), start(2), finish(2, 0.30, 2, 0.30)],
        [start(0), finish(1, 0.32, 0, 0.31)],
        [start(0), finish(0, 0.30, 0, 0.30), finish(0, 0.34, 0, 0.34)],
    ],
    ids=["best of another", "a number twice", "the number of another goes on", "best of an earlier one", "ends twice"],
)
def test_a_process_that_goes_on_in_the_part_of_a_later_study_is_noticed(read, late):
    first, *others = read(
        NEW.format(1), start(0), finish(0, 0.31, 0, 0.31), start(1), finish(1, 0.4, 0, 0.31), NEW.format(3), *late
    )
    assert (first.study, first.comparable) == ("phase6a_2M_h1_x", True), "it ended before the other study began"
    for trial in others[1:]:
        assert (trial.study, trial.budget, trial.horizon, trial.comparable) == (None, None, None, False)
        assert "mixed" in trial.flags[0]


def test_studies_in_order_are_not_mixed(read):
    trials = read(
        *(NEW.format(1), start(0), start(1), finish(1, 0.32, 1, 0.32), finish(0, 0.35, 1, 0.32)),
        *(NEW.format(3), start(0), finish(0, 0.34, 0, 0.34), start(1), finish(1, 0.36, 0, 0.34)),
    )
    assert [(trial.horizon, trial.comparable) for trial in trials] == [(1, True)] * 2 + [(3, True)] * 2


@pytest.mark.parametrize(
    "line",
    [
        "Using an existing study with name 'phase6a_2M_h5_x' instead of creating a new one.",
        "Using an existing study with `study_name='phase6a_2M_h5_x'` instead of creating a new one.",
        "\x1b[32m[I 2026-01-02 03:10:00,123]\x1b[0m Using an existing study with name 'phase6a_2M_h5_x' instead of "
        "creating a new one.",
        STORED.format(5),
        "Study name was omitted but trying to load `study_name='phase6a_2M_h5_x'` because that was the only study "
        "found in the storage.",
        "[2/12] Starting: scripts/phase6a_2M_h5_x.py",
    ],
)
@pytest.mark.lesson("L45")
def test_every_line_that_names_a_study_begins_its_part(read, line):
    trials = read(NEW.format(1), start(0), finish(0, 0.31, 0, 0.31), line, start(1), finish(1, 0.35, 0, 0.31))
    assert [trial.study for trial in trials] == ["phase6a_2M_h1_x", "phase6a_2M_h5_x"]
    assert [trial.horizon for trial in trials] == [1, 5]


def test_a_study_that_is_joined_may_have_a_best_that_was_never_seen_and_numbers_of_others(read):
    joined = "Using an existing study with name 'phase6a_2M_h1_x' instead of creating a new one."
    trials = read(joined, start(7), finish(7, 0.4, 3, 0.2), start(9), finish(9, 0.5, 3, 0.2))
    assert all(trial.comparable and trial.horizon == 1 for trial in trials)


def test_a_script_that_has_ended_names_nothing_more(read):
    lines = (start(0), finish(0, 0.31, 0, 0.31))
    named, unnamed = read("[1/2] Starting: phase6a_2M_h1_x.py", *lines, "[1/2] PASSED: phase6a_2M_h1_x.py", start(1))
    assert (named.study, unnamed.study) == ("phase6a_2M_h1_x", None)


@pytest.mark.lesson("L45")
@pytest.mark.parametrize(
    ("values", "objective"),
    [
        ([(0, 0.7, 0, 0.7), (1, 0.72, 1, 0.72)], "unknown"),
        ([(0, 0.72, 0, 0.72), (1, 0.7, 0, 0.72)], "unknown"),
        ([(0, 0.7, 0, 0.7)], "unknown"),
        ([(0, 0.7, 0, 0.7), (1, 0.68, 1, 0.68)], "loss"),
        ([(0, 0.7, 0, 0.7), (1, "inf", 0, 0.7)], "loss"),
    ],
)
def test_a_value_is_a_loss_where_it_was_minimised(read, values, objective):
    lines = [line for each in values for line in (start(each[0]), finish(*each))]
    trials = read("A new study created in memory with name: x_2M_h1", *lines)
    assert {trial.outcome.objective for trial in trials} == {objective}


def test_an_earlier_study_is_known_to_have_minimised_its_loss_but_not_against_what_its_log_proves(read):
    assert read(NEW.format(1), start(0), finish(0, 0.7, 0, 0.7))[0].outcome.objective == "loss"
    trials = read(NEW.format(1), start(0), finish(0, 0.7, 0, 0.7), start(1), finish(1, 0.72, 1, 0.72))
    assert {trial.outcome.objective for trial in trials} == {"unknown"}


def test_a_part_knows_where_it_was_made():
    parts = Parts()
    parts.begin(read_line(NEW.format(1), 1))
    assert (parts.current.name, parts.current.fresh) == ("phase6a_2M_h1_x", True)
    parts.begin(read_line(STORED.format(3), 2))
    assert (parts.current.fresh, parts.current.mixed) == (False, True), "two studies at once, of which none ran a trial"


def test_a_study_without_trials_is_forgotten_and_still_parts_those_of_its_name():
    parts = Parts()

    def take(*texts):
        for text in texts:
            line = read_line(text, 1)
            {"start": parts.note_start, "finish": parts.note_end}.get(line.kind, parts.begin)(line)

    take(STORED.format(1), start(0), finish(0, 0.31, 0, 0.31), STORED.format(3), STORED.format(1))
    assert parts.current.values == {0: 0.31} and len(parts.earlier) == 1
    take(NEW.format(1), STORED.format(1))
    assert parts.current.values == {} and len(parts.earlier) == 1
