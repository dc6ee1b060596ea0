import json
import re
from io import StringIO
from types import SimpleNamespace

import pandas as pd
import pytest
from rich.console import Console

from pipeline.exceptions import StoreError
from search.registry import register as registration
from search.registry.gate.collect import STORED
from search.registry.register import RegisterRequest
from search.registry.versions.aliases import CHALLENGER, champion_of, held_aliases
from search.registry.versions.versions import find_version, versions_of
from search.tracking.artifacts import fetch_artifact
from search.tracking.locks import registry_lock
from search.tracking.widths import RUN_TAG

MODEL = "patchscale-^GSPC-h1"


def quiet():
    return Console(file=StringIO())


@pytest.fixture
def client(study):
    return study.client


def artifact(client, run_id, path):
    return fetch_artifact(client, client.get_run(run_id), path, None)


def runs(study, role):
    return study.client.search_runs([study.experiment_id], f"tags.`run.role` = '{role}'")


@pytest.mark.parametrize(
    ("number", "as_is", "seeds", "through"), [(1, "true", "0", "2014-12-31"), (2, "false", "0,1", "2016-12-30")]
)
def test_version_run_trial_study_and_data_point_at_each_other(client, study, number, as_is, seeds, through):
    version = find_version(client, f"{MODEL}/{number}")
    best = min(study.finished(), key=lambda trial: trial.value)
    tags = version.tags
    assert tags["study.name"] == "tiny" and tags["study.run_id"] == study.run_id
    assert (tags["trial.run_id"], tags["trial.number"]) == (best.user_attrs["run_id"], str(best.number))
    assert tags["dataset.digest"] == study.plan.data.dataset
    assert (tags["members.as_is"], tags["members.seeds"], tags["trained.through"]) == (as_is, seeds, through)
    assert len(tags["git.commit"]) == 40
    run = client.get_run(version.run_id)
    assert (run.data.tags["mlflow.parentRunId"], run.data.tags["run.role"]) == (study.run_id, "registration")
    assert run.info.status == "FINISHED"
    assert study.plan.data.dataset in {each.dataset.digest for each in run.inputs.dataset_inputs}
    for linked in (version.run_id, best.user_attrs["run_id"], study.run_id):
        assert f"{MODEL}/{number}" in client.get_run(linked).data.tags["registered.as"]
    assert client.get_logged_model(tags["model.id"]).source_run_id == version.run_id


def test_the_description_says_what_a_reader_wants_to_know(client):
    text = find_version(client, f"{MODEL}/2").description
    assert text.startswith("**Will the high of ^GSPC reach +1 % within 1 session of the close?**")
    for words in ("architecture `d8", "parameters", "2 refits on train and validation", "seeds 0, 1, averaged"):
        assert words in text
    assert "through 2016-12-30" in text and "largest difference" in text and "sealed" in text
    assert "it is the recipe's, not these weights'" in text
    assert re.search(r"\| beats the best baseline \| fail \| baseline \w+, difference in loss \+", text)
    assert "the trial's own, of epoch 1, seed 0" in find_version(client, f"{MODEL}/1").description


@pytest.mark.lesson("L24")
def test_a_version_that_beats_no_baseline_is_challenger_and_not_champion(made, client):
    for said in made.said:
        assert "fail     beats the best baseline" in said
        assert re.search(r"registered as challenger; champion stays unset: not met are .*beats the best baseline", said)
    assert champion_of(client, MODEL) is None
    by_alias = find_version(client, f"{MODEL}@{CHALLENGER}")
    assert int(by_alias.version) == 2
    assert by_alias.tags["gate"].startswith("not met: ")
    assert by_alias.tags["gate.finite"].startswith("pass: 503 of 503")


def test_the_gate_and_the_evidence_are_kept_with_the_registration(client, study):
    version = find_version(client, f"{MODEL}/1")
    kept, *_ = client.list_artifacts(version.run_id, "gate")
    held = json.loads(artifact(client, version.run_id, kept.path).read_text())
    assert held["conditions"][0]["name"] == "finite" and held["holds"] is False
    stored = pd.read_parquet(artifact(client, version.run_id, STORED))
    trial = pd.read_parquet(artifact(client, version.tags["trial.run_id"], "predictions/val.parquet"))
    assert stored[["date", "y", "p"]].equals(trial[["date", "y", "p"]])
    assert client.get_run(version.run_id).data.tags["gate"] == version.tags["gate"]


def test_the_proof_ran_over_every_validation_day(made, client):
    for number, said in enumerate(made.said, start=1):
        assert "packaged, and run in a fresh process: largest difference" in said and "over 503 days" in said
        assert float(find_version(client, f"{MODEL}/{number}").tags["check.largest_difference"]) < 1e-6


def test_a_version_whose_forecasts_do_not_match_is_refused_and_leaves_no_version(made, shop, study, command):
    best = min(study.finished(), key=lambda trial: trial.value)
    path = artifact(study.client, best.user_attrs["run_id"], "predictions/val.parquet")
    stored = pd.read_parquet(path)
    stored.assign(p=stored["p"] + 1e-5).to_parquet(path, index=False)
    try:
        code, _, err = command("register", "tiny", "--as-is")
    finally:
        stored.to_parquet(path, index=False)
    assert (code, err.count("\n")) == (1, 1)
    assert "must forecast what its weights do within 1e-06, differs by 1e-05" in err
    assert [int(v.version) for v in versions_of(study.client, MODEL)] == [1, 2]
    failed = runs(study, "registration")[0]
    assert failed.info.status == "FAILED" and "RecordError" in failed.data.tags["status.reason"]
    models = study.client.search_logged_models([study.experiment_id])
    (refused,) = (each for each in models if each.source_run_id == failed.info.run_id)
    assert str(refused.status) == "FAILED", "the Models tab offers none that said something else"
    assert int(find_version(study.client, f"{MODEL}@{CHALLENGER}").version) == 2


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
@pytest.mark.parametrize("at", ["_link", "decide"])
def test_an_interrupted_registration_leaves_both_aliases_and_no_trace(shop, study, command, monkeypatch, at, error):
    command("promote", f"{MODEL}/1", "--force", "a drill")
    before = held_aliases(study.client, MODEL)
    assert before.aliases == {"champion": "1", "challenger": "2"}
    original = getattr(registration, at)

    def break_off(*arguments, **named):
        original(*arguments, **named)
        raise error("broken off")

    monkeypatch.setattr(registration, at, break_off)
    with pytest.raises(error):
        registration.register(shop, "tiny", RegisterRequest(as_is=True, force="in use"), quiet())
    assert held_aliases(study.client, MODEL) == before
    assert [int(each.version) for each in versions_of(study.client, MODEL)] == [1, 2]
    best = min(study.finished(), key=lambda trial: trial.value).user_attrs["run_id"]
    newest = runs(study, "registration")[0]
    assert newest.info.status == ("KILLED" if error is KeyboardInterrupt else "FAILED")
    assert "registered.as" not in newest.data.tags
    for run_id in (best, study.run_id):
        assert study.client.get_run(run_id).data.tags["registered.as"] == f"{MODEL}/1, {MODEL}/2"


def test_aliases_can_be_moved_while_it_trains_and_are_held_once_it_writes(shop, study, monkeypatch):
    held = []

    def look(*arguments, **named):
        try:
            with registry_lock(shop, MODEL):
                held.append(False)
        except StoreError:
            held.append(True)
        raise OSError("enough")

    for at in ("_members", "package_members", "_create_version"):
        with monkeypatch.context() as patch, pytest.raises(OSError, match="enough"):
            patch.setattr(registration, at, look)
            registration.register(shop, "tiny", RegisterRequest(as_is=True), quiet())
    assert held == [False, False, True]


def test_evidence_is_collected_before_anything_is_trained(shop, study, monkeypatch):
    def fail(*arguments, **named):
        raise OSError("no evidence")

    trained = []
    monkeypatch.setattr(registration, "track_record_of_trial", fail)
    monkeypatch.setattr(registration, "_members", lambda *arguments: trained.append(arguments))
    with pytest.raises(OSError, match="no evidence"):
        registration.register(shop, "tiny", RegisterRequest(), quiet())
    assert not trained


@pytest.mark.lesson("L34")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nostudy"], "study must be one that patchscale made, got 'nostudy'"),
        (["tiny", "--trial", "7"], "trial must be one of study tiny (0 to 2), got 7"),
        (["tiny", "--trial", "x"], "trial must be a whole number, at least 0, got 'x'"),
        (["tiny", "--seeds", "0"], "seeds must be a whole number, at least 1"),
        (["tiny", "--seeds", "101"], "seeds must be from 1 to 100, got 101"),
        (["tiny", "--device", "mps"], "device mps needs an Apple GPU that torch can use, got none; take auto or cpu"),
        (["tiny", "--device", "tpu"], "device must be auto, cpu, cuda or mps, got 'tpu'"),
        (["tiny", "--force", " "], "force must say why, got nothing"),
    ],
)
def test_mistakes_are_one_line_exit_2_and_leave_nothing(shop, study, command, arguments, words):
    before = len(runs(study, "registration"))
    code, out, err = command("register", *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert words in err
    assert len(versions_of(study.client, MODEL)) == 2 and len(runs(study, "registration")) == before


def test_a_study_of_many_versions_names_the_latest(shelf):
    run_id = shelf.create_run("0").info.run_id
    study, best = SimpleNamespace(client=shelf, run_id=run_id), SimpleNamespace(trial=SimpleNamespace(run_id=run_id))
    names = [f"patchscale-SPY-h1/{number}" for number in range(100, 447)]
    shelf.set_tag(run_id, "registered.as", ", ".join(names))
    for number in (447, 448):
        registration._change_links(study, best, run_id, lambda links, n=number: [*links, f"patchscale-SPY-h1/{n}"])
        said = shelf.get_run(run_id).data.tags["registered.as"].split(", ")
        assert said[0] == "…" and said[1] in names and said[-1] == f"patchscale-SPY-h1/{number}"
        assert RUN_TAG - 50 < len(", ".join(said)) <= RUN_TAG
