import pytest

from search.registry.register import RegisterRequest


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        ((), RegisterRequest(seeds=3, device="auto")),
        (("--trial", "0", "--as-is"), RegisterRequest(trial=0, seeds=3, as_is=True, device="auto")),
        (
            ("--seeds", "5", "--device", "cpu", "--force", "a  drill"),
            RegisterRequest(seeds=5, device="cpu", force="a drill"),
        ),
    ],
)
def test_what_is_typed_is_the_request(record, command, typed, asked):
    calls = record("search.registry.register.register")
    assert command("register", "mine", *typed)[0] == 0
    (((_, study, request, _), _),) = calls
    assert (study, request) == ("mine", asked)
