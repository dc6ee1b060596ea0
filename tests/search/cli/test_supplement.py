import pytest

from search.workers.engines import EngineOptions


@pytest.mark.parametrize("code", [0, 1])
def test_what_is_typed_is_run_and_its_code_is_the_command_s(record, command, code):
    calls = record("search.hpo.supplement.run_supplement", code)
    typed = ("--where", "n_layers=2", "--where", "d_model=8,n_heads=1", "--workers", "3", "--device", "cpu")
    typed = (*typed, "--engine", "ray", "--address", "head:6379", "--gpus-per-trial", "0")
    assert command("supplement", "mine", *typed)[0] == code
    (((_, study, where), named),) = calls
    assert (study, where) == ("mine", ("n_layers=2", "d_model=8,n_heads=1"))
    asked = EngineOptions(engine="ray", address="head:6379", gpus_per_trial=0.0, workers="3", device="cpu")
    assert (named["asked"], named["keep"]) == (asked, "auto")


def test_a_dry_run_prints_and_runs_nothing(record, command):
    started = record("search.hpo.supplement.run_supplement", 0)
    record("search.hpo.supplement.dry_run_in_words", ["would queue d8-L2-h1-ff32"])
    assert command("supplement", "mine", "--dry-run") == (0, "would queue d8-L2-h1-ff32\n", "")
    assert started == []
