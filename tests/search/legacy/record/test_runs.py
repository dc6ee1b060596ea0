import math

import pytest

from search.legacy.record.runs import run_name, trial_metrics, trial_params, trial_tags
from search.legacy.recover.architecture import Resolved
from search.legacy.recover.trial import LegacyOutcome, LegacyTrial

DONE = LegacyOutcome(status="FINISHED", reason="complete", objective="loss", value=0.3)
KNOWN = Resolved(
    d_model=64, n_layers=48, n_heads=8, d_ff=256, n_params=2414273, n_heads_origin="recovered (grid v1, 20 features)"
)
TRIAL = LegacyTrial(form="log A", where="line 3", content='{"x": 1}', number=7, architecture=KNOWN, outcome=DONE)


def make(**changes):
    fields = {"form": "csv", "where": "line 2", "content": "{}", "outcome": DONE}
    return LegacyTrial(**{**fields, **changes})


def test_names_are_those_of_own_runs():
    assert run_name(TRIAL) == "007 d64-L48-h8-ff256"
    assert trial_params(TRIAL) == {
        "d_model": "64",
        "n_layers": "48",
        "n_heads": "8",
        "d_ff": "256",
        "n_params": "2414273",
        "architecture": "d64-L48-h8-ff256",
    }
    assert trial_metrics(TRIAL) == {
        "hp/d_model": 64,
        "hp/n_layers": 48,
        "hp/n_heads": 8,
        "hp/d_ff": 256,
        "hp/n_params": 2414273,
        "hp/log10_n_params": math.log10(2414273),
        "best/loss": 0.3,
    }


@pytest.mark.lesson("L3")
def test_what_is_unknown_is_absent():
    assert (trial_params(make()), trial_metrics(make())) == ({}, {"best/loss": 0.3})
    tags = trial_tags(make(), "x.csv")
    assert tags["legacy.n_heads"] == "unknown"
    assert not {"study.name", "trial.number", "legacy.arch_idx", "legacy.n_heads.candidates", "legacy.value"} & set(
        tags
    )


@pytest.mark.lesson("L3")
def test_zero_is_logged():
    trial = make(number=0, arch_idx=0, training={"dropout": 0.0, "learning_rate": 0.0})
    assert trial_params(trial) == {"dropout": "0.0", "learning_rate": "0.0"}
    assert trial_metrics(trial) == {"best/loss": 0.3, "hp/dropout": 0.0}
    tags = trial_tags(trial, "x.csv")
    assert (tags["trial.number"], tags["legacy.arch_idx"]) == ("0", "0")


@pytest.mark.lesson("L25")
@pytest.mark.parametrize("text", ["inf", "nan", "100.0"])
def test_a_value_that_is_no_result_is_a_tag(text):
    trial = make(outcome=LegacyOutcome(status="FAILED", reason="not finite", objective="loss", value_text=text))
    assert trial_metrics(trial) == {}
    assert trial_tags(trial, "x.csv")["legacy.value"] == text


def test_the_value_of_a_trial_that_did_not_finish_is_a_tag():
    trial = make(outcome=LegacyOutcome(status="KILLED", reason="pruned", objective="loss", value=0.4))
    assert trial_metrics(trial) == {}
    assert trial_tags(trial, "x.csv")["legacy.value"] == "0.4"


def test_a_value_of_no_name_is_neither_loss_nor_auc():
    trial = make(outcome=LegacyOutcome(status="FINISHED", reason="complete", value=0.7))
    assert trial_metrics(trial) == {"best/objective": 0.7}


def test_tags_fit_the_store():
    trial = make(content="x" * 100_000, flags=("y" * 100_000,), study="s\ud800\0")
    assert all(len(value) <= 5000 and value.isprintable() for value in trial_tags(trial, "x.csv").values())
