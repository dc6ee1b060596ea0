import pytest


@pytest.mark.parametrize(("typed", "keep", "dry"), [((), 5, False), (("--keep", "2", "--dry-run"), 2, True)])
def test_what_is_typed_says_what_stays(record, command, typed, keep, dry):
    calls = record("search.registry.gc.clean_up")
    assert command("gc", "mine", *typed)[0] == 0
    (((_, study), named),) = calls
    assert (study, named["keep"], named["dry_run"]) == ("mine", keep, dry)


@pytest.mark.lesson("L34")
@pytest.mark.parametrize("keep", ["0", "-1", "all"])
def test_at_least_one_checkpoint_stays(record, command, keep):
    calls = record("search.registry.gc.clean_up")
    code, out, err = command("gc", "mine", "--keep", keep)
    assert (code, out, calls) == (2, "", [])
    assert err.startswith(f"error: keep must be a whole number, at least 1, got '{keep}'")
