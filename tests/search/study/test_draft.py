import itertools
import socket
import warnings

import optuna
import pytest
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.storages import RDBStorage
from optuna.trial import TrialState

from search.study.draft import Draft
from search.study.heartbeat import HOST
from search.study.next_trial import ask
from search.study.sampler import SAMPLERS, TrialSeededSampler

SPACE = {
    "rate": FloatDistribution(1e-5, 1e-2, log=True),
    "rank": IntDistribution(0, 40),
    "single": IntDistribution(3, 3),
    "dropout": FloatDistribution(0.0, 0.4, step=0.1),
}
QUEUED = (
    {"rate": 1e-3, "rank": 0, "single": 3, "dropout": 0.1},
    {"rate": 1e-3, "rank": 40, "single": 3, "dropout": 0.1},
    {"rank": 20},
)
TRIALS, AT_ONCE = 24, 3
OPTUNAS = {
    "qmc": lambda: optuna.samplers.QMCSampler(seed=5, warn_independent_sampling=False),
    "genetic": lambda: optuna.samplers.NSGAIISampler(population_size=6, seed=5),
}
"""Others that Optuna has: they write of their trial before it is drawn, or of the study."""


def ask_at_once(schedule, distributions, host):
    """The way before drafts: a trial is made, then every parameter is stored as it is drawn."""
    storage = schedule._storage
    waiting = schedule.get_trials(deepcopy=False, states=(TrialState.WAITING,))
    if waiting:
        storage.set_trial_user_attr(waiting[0]._trial_id, HOST, host)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Heartbeat of storage", category=UserWarning)
            return schedule.ask(dict(distributions))
    schedule._thread_local.cached_all_trials = None
    born = optuna.trial.create_trial(state=TrialState.RUNNING, user_attrs={HOST: host})
    trial = optuna.Trial(schedule, storage.create_new_trial(schedule._study_id, born))
    for name, distribution in distributions.items():
        trial._suggest(name, distribution)
    return trial


def make_schedule(path, sampler):
    schedule = optuna.create_study(study_name="s", storage=f"sqlite:///{path}", sampler=sampler)
    for params in QUEUED:
        schedule.enqueue_trial(params, user_attrs={"forced": "extreme"})
    return schedule


def value(params):
    return (params["rate"] * 100 - 0.3) ** 2 + (params["rank"] - 6) ** 2 / 1000 + params["dropout"] / 7


def work(schedule, asking):
    """Run trials, three at a time: the middle one ends first, each seventh is lost, one more is queued on the way."""
    running, ended = [], itertools.count(1)
    for number in range(TRIALS):
        if number == 20:
            schedule.enqueue_trial({"rate": 2e-3, "dropout": 0.3})
        running.append(asking(schedule, SPACE, "east"))
        if len(running) == AT_ONCE:
            trial = running.pop(1)
            lost = next(ended) % 7 == 0
            schedule.tell(
                trial.number,
                None if lost else value(trial.params),
                state=TrialState.FAIL if lost else TrialState.COMPLETE,
            )


def record(schedule):
    """Everything that a schedule holds, but times and ids."""
    stored = optuna.load_study(study_name="s", storage=schedule._storage._backend.url)
    trials = [
        (t.number, t.state, t.values, list(t.params.items()), t.distributions, t.user_attrs, t.system_attrs)
        for t in stored.get_trials()
    ]
    return trials, stored._storage.get_study_system_attrs(stored._study_id)


@pytest.mark.slow
@pytest.mark.lesson("L29")
@pytest.mark.parametrize("kind", [*SAMPLERS, *OPTUNAS])
def test_a_trial_that_is_drawn_and_then_stored_is_the_one_that_was_stored_and_then_drawn(tmp_path, kind):
    makes = OPTUNAS.get(kind, lambda: TrialSeededSampler(7, kind))
    schedules = [make_schedule(tmp_path / f"{name}.db", makes()) for name in ("before", "now")]
    for schedule, asking in zip(schedules, (ask_at_once, ask), strict=True):
        work(schedule, asking)
    before, now = map(record, schedules)
    assert len(now[0]) == TRIALS and now == before
    assert all(len(params) == len(SPACE) for _, _, _, params, *_ in now[0])


def test_what_is_written_of_another_trial_or_can_not_be_mixed_is_refused(tmp_path):
    schedule = optuna.create_study(storage=f"sqlite:///{tmp_path}/a.db")
    ask(schedule, SPACE)
    with pytest.raises(ValueError, match="distribution"):
        ask(schedule, {**SPACE, "rank": FloatDistribution(0, 1)})
    draft = Draft(schedule, schedule.get_trials(deepcopy=False), None, {})
    with pytest.raises(AssertionError):
        draft.set_trial_user_attr(1, "a", 1)


def test_a_draft_that_fails_leaves_nothing_in_the_schedule(tmp_path):
    class Broken(optuna.samplers.RandomSampler):
        def sample_independent(self, study, trial, name, distribution):
            if name == "dropout":
                raise RuntimeError("drawn in vain")
            return super().sample_independent(study, trial, name, distribution)

    schedule = optuna.create_study(storage=f"sqlite:///{tmp_path}/a.db", sampler=Broken())
    with pytest.raises(RuntimeError):
        ask(schedule, SPACE)
    assert schedule.get_trials() == []


def test_a_draft_is_seen_by_its_sampler_as_a_trial_that_runs(tmp_path):
    seen = []

    class Looking(optuna.samplers.RandomSampler):
        def sample_independent(self, study, trial, name, distribution):
            own = study.get_trials()[trial.number]
            seen.append((own.state, own.number, own.user_attrs, dict(own.params), len(study.get_trials())))
            return super().sample_independent(study, trial, name, distribution)

    schedule = optuna.create_study(storage=RDBStorage(f"sqlite:///{tmp_path}/a.db"), sampler=Looking(1))
    first = ask(schedule, SPACE)
    ask(schedule, SPACE)
    host = {HOST: socket.gethostname()}
    assert [len(params) for *_, params, _ in seen] == [0, 1, 3] * 2
    assert seen[1] == (TrialState.RUNNING, 0, host, {"rate": first.params["rate"]}, 1)
    assert seen[3] == (TrialState.RUNNING, 1, host, {}, 2)
