import json

import pytest

from search.space.extremes import extremes


@pytest.fixture
def study(make_study, run_trials):
    return run_trials(make_study(2), 2)


@pytest.mark.slow
@pytest.mark.lesson("L31")
@pytest.mark.lesson("L34")
def test_a_study_with_gaps_is_named_and_exits_1_and_a_whole_one_0(study, run_trials, command):
    name = study.plan.study
    code, out, _ = command("audit", name)
    wanted = extremes(study.plan.grid())
    assert code == 1
    assert "extremes, 2 of 6" in out
    assert out.count("extreme missing:") == 4
    for architecture in wanted[2:]:
        assert f"extreme missing: {architecture.label}" in out
    assert f"patchscale supplement {name} would test the rest with 4 trials" in out
    run_trials(study, 4)
    code, out, _ = command("audit", name)
    assert (code, "nothing is missing" in out) == (0, True)
    assert "extremes, 6 of 6" in out


@pytest.mark.slow
def test_json_holds_the_same(study, command):
    code, out, _ = command("audit", study.plan.study, "--json")
    found = json.loads(out)
    assert (code, found["whole"]) == (1, False)
    assert found["finished"] == found["target"] == 2
    assert found["values"]["d_model"] == {"8": 2}
    assert sum(found["values"]["n_layers"].values()) == 2
    assert list(found["extremes"].values()) == [True, True, False, False, False, False]
    assert len(found["gaps"]) == 4
    assert found["duplicates"] == found["invalid"] == found["disagreements"] == []


def test_an_unknown_study_is_one_line_and_exit_2(home, command):
    for name in ("audit", "supplement", "gc"):
        code, out, err = command(name, "nowhere")
        assert (code, out) == (2, "")
        assert err.startswith("error: study must be one that patchscale made, got 'nowhere'")
        assert err.count("\n") == 1
