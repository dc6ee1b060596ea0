import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.legacy.parse.log_lines import read_line

PREFIX = "[I 2025-12-13 03:51:46,140] "
A = "Trial 7: arch_idx=57, d_model=64, n_layers=48, params=2,414,273, lr=0.000100, epochs=50, batch_size=32"
B = "Trial 7: arch_idx=57, d_model=64, n_layers=48, n_heads=8, params=2,414,273, lr=0.000100, epochs=50, batch_size=32"
C = (
    "Trial 7: arch_idx=0, d_model=64, n_layers=32, n_heads=2, params=1,617,729, lr=0.000997, epochs=50, batch=256x1, "
    "dropout=0.10"
)
FINISH = (
    "Trial 7 finished with value: 0.3369 and parameters: {'arch_idx': 57, 'learning_rate': 0.0001}. "
    "Best is trial 7 with value: 0.3369."
)


@pytest.mark.parametrize("prefix", [PREFIX, "", "   "])
@pytest.mark.parametrize(("text", "form"), [(A, "A"), (B, "B"), (C, "C")])
def test_the_three_forms_of_a_start(prefix, text, form):
    found = read_line(prefix + text + "\n", 3)
    assert found is not None
    assert (found.kind, found.form, found.number, found.line) == ("start", form, 7, 3)
    assert found.stamp == ("2025-12-13 03:51:46,140" if prefix == PREFIX else "")


@pytest.mark.lesson("L1")
def test_form_a_says_nothing_of_heads():
    found = read_line(A, 1)
    assert found is not None
    assert found.says == {
        "arch_idx": "57",
        "d_model": "64",
        "n_layers": "48",
        "param_count": "2414273",
        "learning_rate": "0.000100",
        "epochs": "50",
        "batch_size": "32",
    }


@pytest.mark.parametrize("value", ["inf", "-inf", "nan", "1e-05", "0.3369", "100.0", "3"])
def test_values_of_a_finish(value):
    found = read_line(PREFIX + FINISH.replace("value: 0.3369 and", f"value: {value} and"), 1)
    assert found is not None
    assert (found.kind, found.says["value"], found.params) == (
        "finish",
        value,
        {"arch_idx": 57, "learning_rate": 0.0001},
    )


def test_other_lines_about_trials():
    pruned = read_line(PREFIX + "Trial 8 pruned. ", 1)
    failed = read_line("[W 2025-12-13 03:51:46,140] Trial 9 failed with value nan.", 1)
    study = read_line(PREFIX + "A new study created in memory with name: phase6a_2M_h1_threshold_1pct", 1)
    forced = read_line("   → Forced dropout=0.27 for diversity (was 0.16, prev=0.15)", 1)
    assert pruned is not None and pruned.says == {"state": "PRUNED"}
    assert failed is not None and failed.says == {"state": "FAIL", "error_message": "with value nan."}
    assert study is not None and study.says == {"name": "phase6a_2M_h1_threshold_1pct"}
    assert forced is not None and forced.says == {"dropout": "0.27", "was": "0.16"}


@pytest.mark.parametrize("text", [A, B, C, FINISH])
def test_a_truncated_line_is_never_taken_for_a_whole_one(text):
    whole = read_line(text, 1)
    assert whole is not None
    shortest = text.index(":") if text is FINISH else text.rindex("=") + 1
    for length in range(1, shortest):
        found = read_line(text[:length], 1)
        assert found is None or found.kind == "broken"


@given(st.text())
def test_any_text_is_read(text):
    for line in (text, f"Trial {text}", f"Trial 7: arch_idx={text}", f"{A}{text}"):
        read_line(line, 1)


def test_what_is_not_about_a_trial():
    assert read_line("Epoch 3/50 loss 0.41", 1) is None
    assert read_line("", 1) is None


@pytest.mark.parametrize(
    "text",
    [
        FINISH.replace("0.0001}", "__import__('os')}"),
        FINISH.replace("{'arch_idx': 57", "{'arch_idx': {'x': 57}"),
        f"{A} {B}",
        A.replace("batch_size=32", "batch=256x1, dropout=0.10"),
        A.replace("arch_idx=57", "arch_idx=9999999999"),
    ],
)
def test_a_malformed_line_is_broken(text):
    found = read_line(text, 1)
    assert found is not None and found.kind == "broken"
