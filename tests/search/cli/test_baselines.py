import pytest


@pytest.mark.parametrize("code", [0, 1])
def test_a_study_s_baselines_are_run_and_their_code_is_the_command_s(record, command, code):
    calls = record("search.trial.baselines.run_baselines", code)
    assert command("baselines", "mine")[0] == code
    (((_, study, _), _),) = calls
    assert study == "mine"


def test_an_unknown_study_is_one_line_and_exit_2(home, command):
    code, out, err = command("baselines", "nowhere")
    assert (code, out) == (2, "")
    assert err.startswith("error: study must be one that patchscale made, got 'nowhere'")
    assert err.count("\n") == 1
