import pytest


@pytest.mark.lesson("L22")
@pytest.mark.parametrize(("flags", "again"), [((), False), (("--again",), True)])
def test_a_second_opening_has_to_be_asked_for(record, command, flags, again):
    calls = record("search.registry.holdout.evaluate.evaluate_version")
    assert command("evaluate", "m@champion", *flags)[0] == 0
    (((_, text), named),) = calls
    assert (text, named["again"]) == ("m@champion", again)
