from hypothesis import given
from hypothesis import strategies as st

from search.workers.progress import duration_text


@given(st.integers(0, 10**8).map(lambda tenths: tenths / 10))
def test_a_duration_never_says_less_than_it_is_and_at_most_one_of_its_smaller_unit_more(seconds):
    size = {"s": 1, "min": 60, "h": 3600, "d": 86400}
    words = duration_text(seconds).split()
    said = sum(int(count) * size[unit] for count, unit in zip(words[::2], words[1::2], strict=True))
    assert seconds <= said < seconds + size[words[-1]]


def test_durations_have_units_that_fit():
    expected = ["1 s", "59 s", "1 min", "1 h 30 min", "1 d 0 h"]
    assert [duration_text(seconds) for seconds in (0.4, 59, 60, 5400, 86_400)] == expected
