import signal

import pytest

from search.workers.signals import SIGNALS, Signals


def test_a_signal_unwinds_and_the_handlers_come_back():
    before = [signal.getsignal(number) for number in SIGNALS]
    for number in (signal.SIGTERM, signal.SIGHUP):
        with pytest.raises(SystemExit) as ended, Signals():
            signal.raise_signal(number)
        assert ended.value.code == 128 + number
    assert [signal.getsignal(number) for number in SIGNALS] == before


@pytest.mark.parametrize("number", SIGNALS)
def test_while_a_study_closes_a_signal_is_noted_and_the_first_one_kept(number):
    with Signals() as signals:
        signals.only_note()
        signal.raise_signal(number)
        signal.raise_signal(signal.SIGHUP)
    assert signals.noted == number
