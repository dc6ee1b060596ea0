import pytest

from search.walk_forward.command import WalkForwardRequest


@pytest.mark.parametrize("code", [0, 1])
@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        (("abc",), {"what": "abc", "study": "", "seeds": 3, "first_year": None, "last_year": None, "workers": "auto"}),
        (
            ("SPY-h1", "--trial", "7"),
            {"what": "SPY-h1", "study": "", "trial": 7, "seeds": 3, "first_year": None, "last_year": None},
        ),
        (
            ("baselines", "--study", "mine", "--seeds", "1", "--first-year", "2014", "--last-year", "2016"),
            {"what": "baselines", "study": "mine", "seeds": 1, "first_year": 2014, "last_year": 2016},
        ),
    ],
)
def test_what_is_typed_is_the_request_and_an_empty_year_is_left_to_the_data(record, command, typed, asked, code):
    calls = record("search.walk_forward.command.run_walk_forward", code)
    assert command("walkforward", *typed, "--device", "cpu")[0] == code
    (((_, request, _), _),) = calls
    assert request == WalkForwardRequest(**{"workers": "auto", "trial": None, **asked}, device="cpu")
