import pytest


@pytest.fixture
def record(home, monkeypatch):
    """``record("search.registry.gc.clean_up", answer)``: stand in for what a command calls, and keep the calls."""

    def stand_in(target, answer=None):
        calls = []

        def called(*arguments, **named):
            calls.append((arguments, named))
            return answer

        monkeypatch.setattr(target, called)
        return calls

    return stand_in
