import json

import pytest

from search.evidence.power import plan_power


def test_the_command_prints_a_short_table(command):
    code, out, _ = command("power", "--days", "502", "--horizon", "1")
    assert code == 0
    assert "smallest AUC gain between two models   0.043" in out
    assert out.count("assumed, not measured") == 3


def test_the_command_prints_json(command):
    _, out, _ = command("power", "--days", "502", "--horizon", "5", "--auc", "0.6", "--json")
    found = json.loads(out)
    assert found == {name: pytest.approx(value) for name, value in vars_of(plan_power(502, 5, roc_auc=0.6)).items()}


def vars_of(planned):
    return {name: getattr(planned, name) for name in planned.__dataclass_fields__}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--days", "x"], "days must be a whole number"),
        (["--auc", "1.2"], "below 1"),
        (["--base-rate", "nan"], "base_rate"),
    ],
)
def test_the_command_refuses_in_one_line(command, arguments, words):
    code, out, err = command("power", *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert words in err
