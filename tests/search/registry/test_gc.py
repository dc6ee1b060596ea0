from pathlib import Path

import pytest
from optuna.trial import TrialState

from search.registry.gc import DELETED
from search.registry.packaging.kept_models import keep_best_models, trial_models
from search.registry.versions.versions import TRIAL_RUN
from search.space.ranks import SearchSpace
from search.study.reconcile import reconcile
from search.tracking.artifacts import CHECKPOINT, artifact_bytes
from search.tracking.locks import study_lock
from search.trial.runner import TrialRunner

KEPT = {"best.safetensors", "predictions", "spec.json"}


@pytest.fixture
def study(make_trained):
    return make_trained(3, 3)


def by_loss(study):
    return [t.user_attrs["run_id"] for t in sorted(study.finished(), key=lambda t: t.value)]


def artifacts(study, run_id):
    return {a.path for a in study.client.list_artifacts(run_id)}


def size_of(study, run_id):
    return next(a.file_size for a in study.client.list_artifacts(run_id) if a.path == CHECKPOINT)


def state(study, run_id, name="{}.safetensors"):
    path = study.home / "training" / name.format(run_id)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"weights")
    return path


@pytest.mark.slow
@pytest.mark.lesson("L9")
def test_losing_checkpoints_go_and_every_record_stays(study, command):
    best, *losing = by_loss(study)
    before = {run_id: study.client.get_run(run_id) for run_id in losing}
    freed = sum(size_of(study, run_id) for run_id in losing)
    code, out, _ = command("gc", study.plan.study, "--keep", "1")
    assert code == 0
    assert f"2 checkpoints and 0 leftover training states deleted, {freed / 1000:.1f} kB ({freed:,} bytes) freed" in out
    assert artifacts(study, best) == KEPT
    for run_id in losing:
        run = study.client.get_run(run_id)
        assert artifacts(study, run_id) == KEPT - {CHECKPOINT}
        assert run.data.tags[DELETED].endswith("bytes, not among the best 1")
        assert (run.data.params, run.data.metrics) == (before[run_id].data.params, before[run_id].data.metrics)
        assert run.info.status == "FINISHED"
    assert "(0 bytes) freed" in command("gc", study.plan.study, "--keep", "1")[1]
    assert command("audit", study.plan.study, "--json")[0] == 1
    assert "does not round-trip" not in command("audit", study.plan.study)[1]


def test_dry_run_says_what_and_deletes_nothing(study, command):
    best, *losing = by_loss(study)
    leftover = state(study, best)
    code, out, _ = command("gc", study.plan.study, "--keep", "1", "--dry-run")
    assert code == 0
    assert out.count(f"would delete {CHECKPOINT}") == 2
    assert str(leftover) in out
    assert "nothing was deleted" in out
    assert leftover.exists()
    assert all(artifacts(study, run_id) == KEPT for run_id in (best, *losing))
    assert all(DELETED not in study.client.get_run(run_id).data.tags for run_id in losing)


def test_models_of_losing_trials_go_with_their_checkpoints(study, command):
    best, used, lost = by_loss(study)
    keep_best_models(study)
    model = next(each for each in trial_models(study) if each.source_run_id == used)
    study.client.create_registered_model("m")
    study.client.create_model_version("m", source=model.artifact_location, run_id=used)
    code, out, _ = command("gc", study.plan.study, "--keep", "1", "--dry-run")
    assert (code, out.count("would delete logged model")) == (0, 1) and len(list(trial_models(study))) == 3
    code, out, _ = command("gc", study.plan.study, "--keep", "1")
    assert (code, out.count("deleted logged model")) == (0, 1)
    assert {each.source_run_id for each in trial_models(study)} == {best, used}
    assert artifacts(study, used) == KEPT and artifacts(study, lost) == KEPT - {CHECKPOINT}
    assert command("gc", study.plan.study, "--keep", "0")[0] == 2


def test_what_a_registered_model_was_made_of_stays(study, command):
    *_, worst = by_loss(study)
    study.client.create_registered_model("m")
    source = study.client.get_run(worst).info.artifact_uri
    study.client.create_model_version("m", source=f"{source}/{CHECKPOINT}", run_id=worst)
    assert command("gc", study.plan.study, "--keep", "1")[0] == 0
    assert artifacts(study, worst) == KEPT


def test_the_trial_that_a_version_was_packaged_from_stays(study, command):
    middle, worst = by_loss(study)[1:]
    study.client.create_registered_model("m")
    run = study.client.create_run(study.experiment_id)
    study.client.create_model_version("m", source="file:///m", run_id=run.info.run_id, tags={TRIAL_RUN: worst})
    assert command("gc", study.plan.study, "--keep", "1")[0] == 0
    assert artifacts(study, worst) == KEPT
    assert artifacts(study, middle) == KEPT - {CHECKPOINT}


@pytest.mark.slow
@pytest.mark.lesson("L29")
def test_leftover_states_go_but_not_those_of_trials_to_be_resumed(study, planned, command):
    stopping = TrialRunner(study, planned[1], device="cpu", report=lambda event: None, should_stop=lambda: True)
    stopping.run_next()
    interrupted = study.schedule.trials[3].user_attrs["run_id"]
    best = by_loss(study)[0]
    ended = [state(study, best), state(study, best, ".{}.safetensors.12.ab.part")]
    kept = [study.training_state(interrupted), state(study, "of-another-study")]
    _, out, _ = command("gc", study.plan.study)
    assert "0 checkpoints and 2 leftover training states deleted, 14 bytes" in out
    assert not any(path.exists() for path in ended)
    assert all(path.exists() for path in kept)
    reconcile(study)
    assert "0 leftover" in command("gc", study.plan.study)[1]
    assert all(path.exists() for path in kept)
    for trial in study.schedule.get_trials(states=(TrialState.WAITING,)):
        study.schedule.ask(SearchSpace(study.plan.grid()).distributions())
        study.schedule.tell(trial.number, state=TrialState.FAIL)
    assert "1 leftover" in command("gc", study.plan.study)[1]


@pytest.mark.parametrize("keep", ["0", "-1", "some"])
def test_the_best_checkpoint_always_stays(study, command, keep):
    code, _, err = command("gc", study.plan.study, "--keep", keep)
    assert (code, err.count("\n")) == (2, 1)
    assert "keep must be a whole number, at least 1" in err
    assert all(artifacts(study, run_id) == KEPT for run_id in by_loss(study))


@pytest.mark.lesson("L34")
def test_a_store_that_can_not_delete_is_one_line_and_tags_nothing(study, command, monkeypatch):
    class ReadOnly:
        def delete_artifacts(self, path):
            raise NotImplementedError("no deletion here")

    monkeypatch.setattr("search.tracking.artifacts._repository", lambda client, run: ReadOnly())
    code, _, err = command("gc", study.plan.study, "--keep", "1")
    assert (code, err.count("\n")) == (2, 1)
    assert "an artifact store must be able to delete files" in err and "no deletion here" in err
    monkeypatch.setattr(
        "search.tracking.artifacts._repository", lambda client, run: type("Deaf", (), {"delete_artifacts": print})
    )
    assert "it is still there" in command("gc", study.plan.study, "--keep", "1")[2]
    assert all(DELETED not in study.client.get_run(run_id).data.tags for run_id in by_loss(study))


@pytest.mark.parametrize("part", ["", ".registration"])
def test_a_study_in_use_is_left_alone(study, stores, command, part):
    with study_lock(stores, f"{study.plan.study}{part}"):
        code, _, err = command("gc", study.plan.study, "--keep", "1")
    assert code == 2 and "one command at a time" in err
    assert all(artifacts(study, run_id) == KEPT for run_id in by_loss(study))


def test_the_card_says_how_large_the_artifacts_are(study, command):
    command("gc", study.plan.study, "--keep", "2")
    runs = study.client.search_runs([study.experiment_id])
    size = sum(
        path.stat().st_size
        for run in runs
        for path in Path(run.info.artifact_uri.removeprefix("file://")).rglob("*")
        if path.is_file()
    )
    note = study.client.get_run(study.run_id).data.tags["mlflow.note.content"]
    assert size == artifact_bytes(runs) > 10_000
    assert f"- artifacts of all its runs: {size / 1000:.1f} kB ({size:,} bytes)" in note
    assert "3 of 3 trials finished" in note
