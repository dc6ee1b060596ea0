from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.spec.budget import DEFAULT_TOLERANCE, Budget
from pipeline.exceptions import InputError


@pytest.mark.parametrize(
    ("text", "n_params"),
    [
        ("2M", 2_000_000),
        ("20M", 20_000_000),
        ("2B", 2 * 10**9),
        ("200K", 200_000),
        ("1.5B", 1_500_000_000),
        ("5000", 5000),
        ("0.0001M", 100),
        ("2.3M", 2_300_000),
        ("0.29M", 290_000),
        ("1.1B", 1_100_000_000),
    ],
)
def test_budget_reads_exactly(text: str, n_params: int) -> None:
    assert Budget(text=text).n_params == n_params


@pytest.mark.parametrize(
    "text",
    [
        "",
        "M",
        "20Q",
        "2m",
        "-2M",
        "+2M",
        "2 M",
        " 2M",
        "2M\n",
        "2MM",
        "1e6",
        "0",
        "0M",
        "0.0001",
        "nan",
        "inf",
        "1_000",
        "2,5M",
        ".5M",
        "2.M",
        "٢M",
    ],
)
def test_other_texts_are_refused_with_the_remedy(text: str) -> None:
    with pytest.raises(InputError, match="budget must be a number with K, M or B") as caught:
        Budget(text=text)
    assert repr(text) in str(caught.value)


@given(n_params=st.integers(1, 10**10))
def test_plain_numbers_are_themselves(n_params: int) -> None:
    assert Budget(text=str(n_params)).n_params == n_params


@pytest.mark.lesson("L5")
@pytest.mark.parametrize(
    ("n_params", "allowed"), [(1499, False), (1500, True), (2000, True), (2500, True), (2501, False)]
)
def test_tolerance_is_inclusive_and_two_sided(n_params: int, allowed: bool) -> None:
    assert DEFAULT_TOLERANCE == 0.25
    assert Budget(text="2K").allows(n_params) is allowed


@pytest.mark.parametrize("tolerance", [0.0, 1.0, -0.1, 25, float("nan")])
def test_tolerance_must_be_a_fraction(tolerance: float) -> None:
    with pytest.raises(InputError, match="tolerance must be between 0 and 1"):
        Budget(text="2M", tolerance=tolerance)
