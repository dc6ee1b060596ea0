import json
from io import BytesIO

import mlflow
import optuna
import pandas as pd
import pytest

from search.registry.gate.collect import EVIDENCE_RUN
from search.registry.packaging.fresh_process import TOLERANCE
from search.registry.packaging.kept_models import keep_best_models, trial_models
from search.registry.versions.aliases import CHAMPION, champion_of, code_version, moves_of
from search.registry.versions.by_hand import BY_HAND, is_by_hand
from search.registry.versions.versions import PROVED, find_version
from search.results.trial_runs import recorded_trials
from search.tracking.artifacts import PREDICTIONS, read_artifact
from search.tracking.run import RunWriter
from search.tracking.stores import open_storage
from tests.killed_between import run_killed

MODEL = "patchscale-^GSPC-h1"
WRITES_TAG = "mlflow.MlflowClient.set_model_version_tag"


@pytest.fixture
def client(study):
    return study.client


@pytest.mark.lesson("L24")
def test_the_gate_is_asked_again_and_a_refusal_prints_every_condition(client, command):
    code, out, _ = command("promote", f"{MODEL}/1")
    assert code == 1
    for name in ("finite", "calibrated", "beats the best baseline", "survives the search", "beats the champion"):
        assert f"  {name}: " in out
    assert out.splitlines()[-1].startswith("champion stays unset: not met are ")
    assert champion_of(client, MODEL) is None


def test_force_moves_the_champion_and_is_recorded(client, command):
    code, out, _ = command("promote", f"{MODEL}/1", "--force", "a drill  of the alarm")
    assert code == 0
    assert f"champion is now {MODEL}/1 (forced: a drill of the alarm; the first)" in out
    version = find_version(client, f"{MODEL}@{CHAMPION}")
    held = json.loads(version.tags["champion.force"])
    assert (held["version"], held["reason"], held["code"]) == (1, "a drill of the alarm", code_version())
    assert held["date"][:2] == "20"
    assert [move.how for move in moves_of(client, MODEL)] == ["force"]
    assert version.tags["gate"].startswith("not met")
    code, out, _ = command("promote", f"{MODEL}@champion")
    assert (code, len(moves_of(client, MODEL))) == (0, 1)
    assert "is champion already; nothing was changed" in out


def test_a_promotion_that_was_killed_after_it_moved_the_champion_is_completed(client, command, monkeypatch):
    def killed(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("search.registry.versions.aliases._record_on_version", killed)
        command("promote", f"{MODEL}/1", "--force", "a drill")
    assert "champion.force" not in find_version(client, f"{MODEL}@{CHAMPION}").tags
    for done in ("its record was completed", "nothing was changed"):
        code, out, _ = command("promote", f"{MODEL}/1")
        assert (code, out) == (0, f"{MODEL}/1 is champion already; {done}\n")
    version = find_version(client, f"{MODEL}@{CHAMPION}")
    assert json.loads(version.tags["champion.force"])["reason"] == "a drill" and "a drill" in version.description
    assert [move.how for move in moves_of(client, MODEL)] == ["force"]


def test_a_challenger_is_held_against_the_champion_on_common_days_and_rollback_undoes(client, command):
    command("promote", f"{MODEL}/1", "--force", "first")
    code, out, _ = command("promote", f"{MODEL}/2")
    assert code == 1
    assert f"fail     beats the champion: {MODEL}/1, difference in loss +0.0000 [+0.0000, +0.0000], one-sided p" in out
    assert "one-sided p 1.0000; 503 days can show 0.0000 (two-sided, 80% power)" in out
    assert f"champion stays {MODEL}/1" in out
    assert command("promote", f"{MODEL}/2", "--force", "second")[0] == 0
    assert command("rollback", MODEL)[0] == 0
    assert int(champion_of(client, MODEL).version) == 1
    assert command("rollback", MODEL)[0] == 2


def test_lost_evidence_of_the_champion_is_unknown(client, command, monkeypatch):
    command("promote", f"{MODEL}/1", "--force", "first")
    client.set_model_version_tag(MODEL, "1", "study.name", "gone")
    monkeypatch.setattr("search.registry.gate.collect.STORED", "evidence/gone.parquet")
    monkeypatch.setattr("search.registry.promote.store_track_record", lambda *arguments: None)
    code, out, _ = command("promote", f"{MODEL}/2")
    assert code == 1 and "unknown  beats the champion: 0 days that both forecast out of sample" in out


def lose_trial(study, shop):
    study.client.delete_run(find_version(study.client, f"{MODEL}/1").tags["trial.run_id"])


def lose_study(study, shop):
    optuna.delete_study(study_name=study.plan.study, storage=open_storage(shop))


def lose_everything(study, shop):
    lose_study(study, shop)
    for run in study.client.search_runs([study.experiment_id]):
        study.client.delete_run(run.info.run_id)


@pytest.mark.parametrize("lose", [lose_trial, lose_study, lose_everything])
def test_force_works_when_the_evidence_is_gone_and_nothing_else_does(study, shop, command, lose):
    lose(study, shop)
    code, out, err = command("promote", f"{MODEL}/1")
    assert code != 0 and err.count("\n") == 1 and champion_of(study.client, MODEL) is None
    code, out, _ = command("promote", f"{MODEL}/1", "--force", "it is the last one there is")
    assert code == 0 and "gate, on no evidence: " in out and out.count("  unknown  ") == 5
    version = find_version(study.client, f"{MODEL}@{CHAMPION}")
    assert json.loads(version.tags["champion.force"])["reason"] == "it is the last one there is"
    assert version.tags["gate.finite"] == "unknown: the evidence is gone"


@pytest.mark.lesson("L34")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((MODEL,), "must be written NAME/NUMBER or NAME@ALIAS"),
        ((f"{MODEL}/9",), "a version of patchscale-^GSPC-h1 must be one of 1, 2, got 9"),
        ((f"{MODEL}@champion",), "must be one of challenger, got 'champion'"),
        (("nothing/1",), "a model must be one of the registry's, patchscale-^GSPC-h1, got 'nothing'"),
        ((f"{MODEL}/1", "--force", ""), "force must say why"),
    ],
)
def test_mistakes_are_one_line_exit_2(shop, command, arguments, words):
    code, out, err = command("promote", *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert words in err


@pytest.fixture
def by_hand(client, study, monkeypatch):
    """Version 3 of the model: a trial's logged model, as MLflow's Register button makes one; its source run."""
    monkeypatch.setattr(mlflow.tracking._tracking_service.utils, "_tracking_uri", client.tracking_uri)
    keep_best_models(study, 1)
    (model,) = trial_models(study)
    return client.create_model_version(MODEL, f"models:/{model.model_id}").run_id


@pytest.mark.slow
def test_the_gate_of_a_version_by_hand_is_asked_and_its_trials_run_stays_as_it_was(client, study, command, by_hand):
    before = client.get_run(by_hand).to_dictionary(), [each.path for each in client.list_artifacts(by_hand)]
    client.set_registered_model_alias(MODEL, CHAMPION, "3")
    code, out, _ = command("promote", f"{MODEL}/2")
    assert code == 1 and f"beats the champion: {MODEL}/3 ({BY_HAND}), difference in loss" in out
    code, out, _ = command("promote", f"{MODEL}/3")
    assert (code, out.splitlines()[0]) == (1, f"{MODEL}/3 was {BY_HAND}: it is asked now")
    assert "beats the champion: there is none" in out and f"champion stays {MODEL}/3: not met are" in out
    assert moves_of(client, MODEL) == []
    version = client.get_model_version(MODEL, "3")
    assert version.tags["gate"].startswith("not met") and float(version.tags[PROVED]) <= TOLERANCE
    assert (client.get_run(by_hand).to_dictionary(), [e.path for e in client.list_artifacts(by_hand)]) == before
    run = client.get_run(version.tags[EVIDENCE_RUN])
    assert (run.info.status, run.data.tags["run.role"], run.data.tags["registered.as"]) == (
        *("FINISHED", "registration"),
        f"{MODEL}/3",
    )
    assert {each.path for each in client.list_artifacts(run.info.run_id)} == {"evidence", "gate"}
    code, out, _ = command("compare", f"{MODEL}/3", f"{MODEL}/1")
    assert code == 0 and BY_HAND not in out
    code, out, _ = command("promote", f"{MODEL}/3")
    assert code == 1 and BY_HAND not in out and f"champion stays {MODEL}/3" in out, "its alias is of nobody's gate"
    command("promote", f"{MODEL}/3", "--force", "a drill")
    code, out, _ = command("promote", f"{MODEL}/3")
    assert (code, len(moves_of(client, MODEL))) == (0, 1) and "is champion already; nothing was changed" in out


@pytest.mark.slow
@pytest.mark.lesson("L40")
def test_a_promotion_that_is_killed_between_its_tags_is_finished_by_the_same_command(
    client, study, command, by_hand, tmp_path
):
    before = client.get_run(by_hand).to_dictionary(), [each.path for each in client.list_artifacts(by_hand)]
    for tag in ("members.seeds", "gate"):
        assert run_killed(tmp_path, ["promote", f"{MODEL}/3"], tag, [WRITES_TAG])
        held = client.get_model_version(MODEL, "3").tags
        assert held and tag not in held and is_by_hand(find_version(client, f"{MODEL}/3"))
    code, out, _ = command("promote", f"{MODEL}/3")
    assert (code, out.splitlines()[0]) == (1, f"{MODEL}/3 was {BY_HAND}: it is asked now")
    version = client.get_model_version(MODEL, "3")
    assert version.tags["gate"].startswith("not met") and float(version.tags[PROVED]) <= TOLERANCE
    assert {"members.seeds", "data.last", "trial.number", "study.name"} <= version.tags.keys()
    run = client.get_run(version.tags[EVIDENCE_RUN])
    assert (run.info.status, run.data.tags["registered.as"]) == ("FINISHED", f"{MODEL}/3")
    assert not [each.info.run_id for each in study.runs("registration", status="RUNNING")]
    assert (client.get_run(by_hand).to_dictionary(), [e.path for e in client.list_artifacts(by_hand)]) == before


@pytest.mark.slow
def test_one_that_does_not_say_what_its_trial_said_is_refused(client, study, command, by_hand):
    best = next(each for each in recorded_trials(study) if each.run_id == by_hand)
    frame = pd.read_parquet(BytesIO(read_artifact(client, best.run, PREDICTIONS)))
    RunWriter(client, by_hand).log_table(frame.assign(p=frame["p"] + 0.01), PREDICTIONS)
    code, _, err = command("promote", f"{MODEL}/3")
    assert (code, err.count("\n")) == (1, 1) and "must forecast what its weights do" in err
    assert client.get_model_version(MODEL, "3").tags == {} and champion_of(client, MODEL) is None
    assert command("promote", f"{MODEL}/3", "--force", "a drill")[0] == 0
    assert champion_of(client, MODEL).tags["gate"].startswith("not met")


def test_it_is_no_champion_of_another_question(client, command, by_hand, capsys):
    for model, tags in (("patchscale-SPY-h5", None), ("tagged", {"target": "h5"})):
        client.create_registered_model(model, tags=tags)
        client.copy_model_version(f"models:/{MODEL}/3", model)
        capsys.readouterr()  # MLflow says what it copied
        code, _, err = command("promote", f"{model}/1", "--force", "why not")
        assert (code, err.count("\n")) == (2, 1)
        assert f"a champion of {model} must answer its question" in err and f"register it under {MODEL}" in err
        assert command("compare", f"{model}/1", f"{MODEL}/3")[0] == 0, "both answer one question"


@pytest.mark.lesson("L34")
def test_a_version_of_something_foreign_is_one_line(client, command):
    client.create_registered_model("foreign")
    client.create_model_version("foreign", "file:///nothing")
    for arguments in (("promote", "foreign/1"), ("compare", "foreign/1", f"{MODEL}/1"), ("evaluate", "foreign/1")):
        code, out, err = command(*arguments)
        assert (code, out, err.count("\n")) == (2, "", 1) and "patchscale" in err
