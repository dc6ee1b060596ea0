"""The matrix of studies: queued before anything runs, worked off in order, resumable."""

import os
import signal
from dataclasses import replace

import pytest
from optuna.trial import TrialState

from pipeline.exceptions import InputError, LostLeaseError, StoreError, StoreLostError
from search.audit.status import study_states
from search.hpo import campaign as module
from search.hpo.campaign import plan_campaign, queue, run_campaign
from search.hpo.command import work_on
from search.hpo.execute import Ending
from search.space.extremes import extremes
from search.study.study import load_study
from search.tracking.held import held
from search.tracking.locks import campaign_lock, study_lock
from search.tracking.patience import WAITING
from search.tracking.stores import open_storage, open_tracking
from tests.search.conftest import REQUEST

TIME_LIMIT_SECONDS = 1500
COMMAND = [
    "campaign",
    "--budgets",
    "5K,6K",
    "--tier",
    "r25",
    "--horizons",
    "1",
    "--trials",
    "2",
    "--max-epochs",
    "1",
    "--workers",
    "1",
]


@pytest.fixture
def request_(home, planned, monkeypatch):
    """A tiny request; its data are stored already."""
    monkeypatch.setattr("search.hpo.command.DATA_DIRECTORY", str(planned[2]))
    monkeypatch.setattr("search.hpo.campaign.DATA_DIRECTORY", str(planned[2]))
    return replace(REQUEST, trials=1, workers="1", pruner="none", device="cpu")


@pytest.fixture
def worked(monkeypatch):
    """Names of studies that were worked on, without training: each ends as the test says."""
    done, endings = [], {}

    def pretend(stores, request, plan, **rest):
        done.append(plan.study)
        end = endings.get(len(done), Ending(complete=True, timed_out=False, signal=None))
        if isinstance(end, Exception):
            raise end
        return end

    monkeypatch.setattr(module, "work_on", pretend)
    return done, endings


def states(stores):
    return {(row["budget"], row["horizon"]): row["state"] for row in study_states(stores)}


def runs(stores):
    client = open_tracking(stores)
    found = client.search_runs([e.experiment_id for e in client.search_experiments()], max_results=1000)
    return {run.info.run_id: run for run in found}


def recorded(stores, name):
    """What both stores say of a study's sampler and pruner, and the sampler that a worker would draw with."""
    study = load_study(stores, name)
    attributes, tags = study.schedule.user_attrs, study.client.get_run(study.run_id).data.tags
    found = {"sampler": attributes["sampler"], "pruner": attributes["pruner"], "tag": tags["study.sampler"]}
    return {**found, "workers": study.schedule.sampler.kind}


def nothing_is_there(stores):
    return open_storage(stores).get_all_studies() == [] and runs(stores) == {}


@pytest.mark.slow
def test_budgets_are_outside_horizons_inside_in_the_order_given(request_):
    cells = plan_campaign(request_, ["6K", "5K"], [3, 1])
    assert [(c.plan.budget, c.plan.target.horizon) for c in cells] == [("6K", 3), ("6K", 1), ("5K", 3), ("5K", 1)]
    assert len({c.plan.study for c in cells}) == 4
    assert {c.dataset.digest for c in cells} == {cells[0].plan.data.dataset}


@pytest.mark.slow
@pytest.mark.lesson("L34")
@pytest.mark.parametrize(
    ("budgets", "horizons", "changed", "words"),
    [
        (["5K", "6K", "20Q"], [1], {}, "budget must be a number with K, M or B"),
        (["5K", "100"], [1], {}, "the nearest is"),
        (["5K", "6K"], [1, 100_000], {}, "horizon must be shorter than the series"),
        (["5K", "5000"], [1], {}, "budgets must be values, each once, separated by commas, got 5K,5000"),
        (["5K"], [1, 3, 1], {}, "horizons must be values, each once, separated by commas, got 1,3,1"),
        (["5K"], [1], {"workers": "0"}, "workers must be auto or"),
        (["5K"], [1], {"pruner": "hyperband"}, "pruner must be one of"),
        (["5K"], [1], {"trials": 0}, "trials must be at least 1"),
    ],
)
def test_a_bad_input_in_any_cell_is_refused_before_anything_is_made(
    request_, stores, budgets, horizons, changed, words
):
    with pytest.raises(InputError, match=words):
        run_campaign(replace(request_, **changed), budgets, horizons)
    assert nothing_is_there(stores)


def test_an_existing_study_with_another_plan_is_refused_before_others_are_made(request_, stores, worked):
    other = plan_campaign(replace(request_, seed=5), ["6K"], [1])
    queue(stores, other)
    with pytest.raises(StoreError, match="seed 5 there, 0 here"):
        run_campaign(request_, ["5K", "6K"], [1])
    assert list(states(stores)) == [("6K", 1)]
    assert worked[0] == []


@pytest.mark.slow
def test_the_whole_matrix_is_queued_in_both_stores_before_work_starts(request_, stores, monkeypatch):
    def stop(*arguments, **rest):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "work_on", stop)
    assert run_campaign(request_, ["5K", "6K"], [1, 3]) == 128 + signal.SIGINT
    assert states(stores) == {("5K", 1): "queued", ("5K", 3): "queued", ("6K", 1): "queued", ("6K", 3): "queued"}
    for cell in plan_campaign(request_, ["5K", "6K"], [1, 3]):
        waiting = load_study(stores, cell.plan.study).schedule.get_trials(states=(TrialState.WAITING,))
        assert len(waiting) == len(extremes(cell.plan.grid()))
    found = runs(stores).values()
    assert {run.info.status for run in found} == {"SCHEDULED"}
    assert {run.data.tags["study.state"] for run in found} == {"queued"}
    assert all("queued: 0 of 1 trials finished" in run.data.tags["mlflow.note.content"] for run in found)
    assert run_campaign(request_, ["5K", "6K"], [1, 3]) == 128 + signal.SIGINT
    assert len(runs(stores)) == 4


@pytest.mark.slow
def test_sampler_and_pruner_of_the_request_are_used_and_recorded_first_time_and_again(request_, stores, monkeypatch):
    used = []

    def work(study, *rest, **settings):
        used.append((study.schedule.sampler.kind, type(study.schedule.pruner).__name__))
        return Ending(complete=True, timed_out=False, signal=None)

    monkeypatch.setattr("search.hpo.execute.work_on_study", work)
    asked = replace(request_, sampler="gp", pruner="none")
    (cell,) = plan_campaign(asked, ["5K"], [1])
    for _ in ("first time", "again"):
        queue(stores, [cell])
        assert recorded(stores, cell.plan.study) == {"sampler": "gp", "pruner": "none", "tag": "gp", "workers": "gp"}
        assert run_campaign(asked, ["5K"], [1]) == 0
        assert recorded(stores, cell.plan.study) == {"sampler": "gp", "pruner": "none", "tag": "gp", "workers": "gp"}
    assert used == [("gp", "NopPruner")] * 2


@pytest.mark.slow
def test_one_study_after_the_other_until_a_signal_comes(request_, worked):
    done, endings = worked
    endings[2] = Ending(complete=True, timed_out=False, signal=signal.SIGTERM)
    assert run_campaign(request_, ["5K", "6K"], [1, 3]) == 128 + signal.SIGTERM
    assert ["-h1-5K-" in done[0], "-h3-5K-" in done[1], len(done)] == [True, True, 2]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ending", "words"),
    [
        (Ending(complete=False, timed_out=True, signal=None), "stopped by timeout"),
        (StoreError("a study is worked on by one command at a time"), "failed: StoreError: a study is worked on"),
        (LostLeaseError("another took it over"), "failed: LostLeaseError: another took it over"),
        (RuntimeError("database is locked"), "failed: RuntimeError: database is locked"),
    ],
)
def test_what_ends_one_study_does_not_end_the_campaign(request_, worked, capsys, ending, words):
    done, endings = worked
    endings[1] = ending
    assert run_campaign(request_, ["5K", "6K"], [1]) == 1
    assert len(done) == 2
    out, err = capsys.readouterr()
    assert words in out
    assert ("Traceback" in err) == isinstance(ending, RuntimeError)


@pytest.mark.lesson("L29")
def test_a_store_that_was_waited_for_in_vain_ends_the_campaign(request_, worked):
    done, endings = worked
    endings[1] = StoreLostError("a store must answer within 600 s")
    with pytest.raises(StoreLostError):
        run_campaign(request_, ["5K", "6K"], [1])
    assert len(done) == 1, "the others are in the same store"


@pytest.mark.lesson("L40")
def test_a_campaign_that_another_took_over_ends(request_, worked):
    done, endings = worked
    endings[1] = LostLeaseError("another took over this study")

    def require():
        if done:
            raise LostLeaseError("another took over the campaign")

    with held(require), pytest.raises(LostLeaseError, match="the campaign"):
        run_campaign(request_, ["5K", "6K"], [1])
    assert len(done) == 1


@pytest.mark.slow
def test_a_study_is_as_patient_as_the_first_whatever_ended_the_one_before(request_, monkeypatch):
    seen, never = [], WAITING.is_over

    def timed_out(*arguments, **named):
        seen.append((WAITING.given_up, WAITING.is_over()))
        WAITING.given_up, WAITING.is_over = True, lambda: True
        return Ending(complete=False, timed_out=True, signal=None)

    monkeypatch.setattr("search.hpo.execute.work_on_study", timed_out)
    monkeypatch.setattr(WAITING, "given_up", False)
    monkeypatch.setattr(WAITING, "is_over", never)
    assert run_campaign(request_, ["5K", "6K"], [1]) == 1
    assert seen == [(False, False)] * 2


def test_two_campaigns_do_not_share_a_study(request_, stores, worked):
    (cell,) = plan_campaign(request_, ["6K"], [1])
    with campaign_lock(stores, [cell.plan.study]):
        with pytest.raises(StoreError, match=rf"study .*-6K-.* in the campaign of process {os.getpid()}; wait for it"):
            run_campaign(request_, ["5K", "6K"], [1])
    assert nothing_is_there(stores)


def test_a_study_that_another_command_works_on_refuses_the_campaign(request_, stores, worked):
    (cell,) = plan_campaign(request_, ["6K"], [1])
    queue(stores, [cell])
    with study_lock(stores, cell.plan.study), pytest.raises(StoreError, match="in use by process"):
        run_campaign(request_, ["5K", "6K"], [1])
    assert list(states(stores)) == [("6K", 1)]


def test_a_study_in_use_refuses_before_the_studies_after_it_are_planned(request_, stores, monkeypatch):
    (cell,) = plan_campaign(request_, ["5K"], [1])
    planned = []
    monkeypatch.setattr(module, "make_plan", lambda *given, **named: planned.append(1) or (cell.plan, cell.dataset))
    with study_lock(stores, cell.plan.study), pytest.raises(StoreError, match="in use by process"):
        run_campaign(request_, ["5K", "6K"], [1, 3])
    assert planned == [1]


@pytest.mark.slow
@pytest.mark.usefixtures("forked_workers")
def test_a_failing_study_in_the_middle_is_reported_and_the_rest_goes_on(request_, stores, monkeypatch, capsys):
    def fail(*arguments):
        raise InputError("device must be auto, cpu, cuda or mps, got 'tpu'")

    def breaking(stores, request, plan, **rest):
        with monkeypatch.context() as patch:
            if plan.budget == "6K":
                patch.setattr("search.hpo.execute.log_data", fail)
            return work_on(stores, request, plan, **rest)

    monkeypatch.setattr(module, "work_on", breaking)
    request_ = replace(request_, sampler="gp")
    assert run_campaign(request_, ["5K", "6K", "7K"], [1]) == 1
    assert states(stores) == {("5K", 1): "complete", ("6K", 1): "queued", ("7K", 1): "complete"}
    parents = {r.data.params["budget"]: r.info.status for r in runs(stores).values() if "grid_hash" in r.data.params}
    assert parents == {"5K": "FINISHED", "6K": "FAILED", "7K": "FINISHED"}
    out = capsys.readouterr().out
    assert "failed: InputError: device must be auto, cpu, cuda or mps, got 'tpu'; the campaign goes on" in out
    monkeypatch.setattr(module, "work_on", work_on)
    assert run_campaign(request_, ["5K", "6K", "7K"], [1]) == 0
    out = capsys.readouterr().out
    assert out.count("is complete with 1/1 trials") == 2
    assert set(states(stores).values()) == {"complete"}
    assert {recorded(stores, row["study"])["tag"] for row in study_states(stores)} == {"gp"}


def read_until(process, text):
    lines = []
    for line in process.stdout:
        lines.append(line)
        if text in line:
            return "".join(lines)
    pytest.fail(f"never printed {text!r}: {''.join(lines)}")


@pytest.mark.slow
@pytest.mark.lesson("L29")
def test_an_ended_campaign_goes_on_with_the_same_command(launch, stores):
    for number, when in (
        (signal.SIGINT, "[1/2]"),
        (signal.SIGTERM, "campaign 2/2"),
        (signal.SIGKILL, "campaign 2/2"),
        (None, "campaign 2/2"),
    ):
        process = launch(*COMMAND)
        out = read_until(process, when)
        if number is not None:
            process.send_signal(number)
        out += process.communicate(timeout=TIME_LIMIT_SECONDS)[0]
        if number in (signal.SIGINT, signal.SIGTERM):
            assert process.returncode == 128 + number, out
            assert "campaign interrupted; the same command continues" in out
            assert "RUNNING" not in {run.info.status for run in runs(stores).values()}
        if number == signal.SIGINT:
            assert states(stores)[("6K", 1)] == "queued"
        if number in (signal.SIGKILL, None):
            skipped = [line for line in out.splitlines() if "is complete with 2/2 trials" in line]
            assert len(skipped) == 1 and "-5K-" in skipped[0]
    assert process.returncode == 0, out
    assert set(states(stores).values()) == {"complete"}
    trials = [run for run in runs(stores).values() if run.data.tags["run.role"] == "trial"]
    assert sum(run.info.status == "FINISHED" for run in trials) == 4
    assert "RUNNING" not in {run.info.status for run in runs(stores).values()}


@pytest.mark.slow
@pytest.mark.lesson("L32")
def test_mlflow_run_launches_the_campaign_and_its_run_ends_with_it(launch, cloned, stores):
    values = {"budgets": "5K,6K", "tier": "r25", "horizons": "1", "trials": "1", "max_epochs": "1", "workers": "1"}
    parameters = [f"-P{name}={value}" for name, value in values.items()]
    process = launch("run", ".", "-e", "campaign", *parameters, "--env-manager", "local", program=("-m", "mlflow"))
    out = process.communicate(timeout=TIME_LIMIT_SECONDS)[0]
    assert process.returncode == 0, out
    (launcher,) = [r for r in runs(stores).values() if r.data.tags.get("run.role") == "launcher"]
    parents = {r.info.run_id: r for r in runs(stores).values() if r.data.tags.get("run.role") == "study"}
    assert set(launcher.data.tags["study.run_id"].split(",")) == set(parents)
    assert (launcher.info.status, launcher.data.tags["status.reason"]) == ("FINISHED", "complete")
    assert {run.info.status for run in parents.values()} == {"FINISHED"}
