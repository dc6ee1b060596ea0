"""On this machine alone; what is sent to a server is in tests/servers/test_takeover.py."""

import pytest

from search.tracking.state import SENT, TrainingState


@pytest.fixture
def state(make_study):
    study = make_study(1)
    run_id = study.start_run("x", role="trial").run_id
    return TrainingState(study.client, run_id, study.training_state(run_id))


def epoch_of(path):
    return int(path.read_text())


@pytest.mark.lesson("L29")
def test_where_artifacts_lie_here_the_file_is_all_there_is(state):
    for epoch in (1, 2):
        state.save(lambda path, epoch=epoch: path.write_text(str(epoch)), epoch)
    state.send()
    assert epoch_of(state.path) == 2 and state.fetch(epoch_of) == ""
    run = state.client.get_run(state.run_id)
    assert SENT not in run.data.tags and state.client.list_artifacts(state.run_id) == []
    state.remove()
    state.remove()
    assert not state.path.exists()
