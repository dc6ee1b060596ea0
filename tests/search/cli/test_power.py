import json

import pytest

from search.evidence.power import plan_power


def test_the_command_prints_a_short_table(command):
    code, out, _ = command("power", "--days", "502", "--horizon", "1")
    assert code == 0
    assert "smallest AUC gain between two models   0.043" in out
    assert out.count("assumed, not measured") == 4
    assert "smallest gain in log loss             0.0160" in out


@pytest.mark.lesson("L47")
def test_folds_are_whole_years_together(command):
    _, of_folds, _ = command("power", "--folds", "8", "--json")
    _, of_days, _ = command("power", "--days", "2008", "--json")
    assert of_folds == of_days and json.loads(of_folds)["days"] == 2008
    _, two, _ = command("power", "--folds", "2", "--json")
    assert json.loads(two)["smallest_loss"] == pytest.approx(2 * json.loads(of_folds)["smallest_loss"], rel=0.01)


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
        (["--folds", "-1"], "folds must be a whole number"),
        (["--days", "502", "--folds", "8"], "either days or folds must be given"),
    ],
)
def test_the_command_refuses_in_one_line(command, arguments, words):
    code, out, err = command("power", *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert words in err
