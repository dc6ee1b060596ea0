"""A study that one machine trained is worked on from another, which has no data, no home and no record of its own."""

import json
import re
import sys

import pytest
from mlflow import MlflowClient

from pipeline.datasets.dataset import load_dataset
from search.folds.kept import FOLDS
from search.registry.packaging.kept_models import keep_best_models, trial_models
from search.registry.versions.by_hand import BY_HAND
from search.study.study import load_study
from search.tracking.advisory import AdvisoryLock
from search.tracking.data_place import FOLDER
from search.tracking.stores import Stores
from search.tracking.tags import BASELINE_ROLE, WALK_FORWARD_ROLE
from search.walk_forward.runs import FIRST_YEAR, read_days
from tests.servers.machine import Machine
from tests.servers.proxy import LosingAnswers

STUDY = "shared"
SEARCH = ("hpo", "--budget", "5K", "--tier", "r25", "--max-epochs", "1", "--pruner", "none", "--workers", "2")
WALK = ("walkforward", STUDY, "--first-year", "2013", "--last-year", "2014", "--seeds", "2")
DYING = """
import os, signal, sys
from search.walk_forward.runs import WalkForwardRun

keep, kept = WalkForwardRun.keep, []

def keep_two(run, job, outcome):
    keep(run, job, outcome)
    kept.append(job)
    if len(kept) == 2:
        os.kill(os.getpid(), signal.SIGKILL)

WalkForwardRun.keep = keep_two
from search.cli import main
main(sys.argv[1:])
"""
"""A walk-forward whose machine dies when two of its parts are kept."""
CUT_OFF = """
import os, sys, time
from search.tracking import advisory, held

advisory.WATCH_SECONDS = 1500
require, names = held.require_held, []

def cut_off():
    if held._held and not names:
        names.extend(name for each in held._held for name in each.__self__._names)
        print("holds", *names, flush=True)
        while not os.path.exists("go on"):
            time.sleep(0.02)
    require()

held.require_held = cut_off
from search.cli import main
main(sys.argv[1:])
"""
"""A command that waits for a file before the first that it writes under a lease, and looks at none by itself."""


@pytest.fixture(scope="module")
def trained(tmp_path_factory, postgres, tracking_server):
    """``trained("name")``: a machine of this name, none of which is the one that trained the study."""
    storage = postgres.url(postgres.create("optuna"))
    made = []

    def make(host):
        made.append(Machine(tmp_path_factory.mktemp(host), host, tracking_server.url, storage))
        return made[-1]

    first = make("first")
    first.run(*SEARCH, "--study", STUDY, "--trials", "2")
    (first.directory / "data").rename(first.directory / "gone")
    yield make
    for each in made:
        each.close()


MAKING = (
    *("POST /api/2.0/mlflow/registered-models/create", "POST /api/2.0/mlflow/model-versions/create"),
    *(
        "POST /api/2.0/mlflow/logged-models ",
        "PATCH /api/2.0/mlflow/logged-models/",
        "POST /api/2.0/mlflow/runs/create",
    ),
    *("PUT /api/2.0/mlflow-artifacts/artifacts/", "/MLmodel", "/registered-models/alias"),
)
"""Requests of a registration that make something."""


@pytest.fixture(scope="module")
def registered(trained, tracking_server):
    """A version that a second machine registered as its trial stands, from a server whose answers got lost."""
    machine = trained("registrar")
    client = MlflowClient(tracking_server.url)
    for made_by_others in client.search_registered_models():
        client.delete_registered_model(made_by_others.name)
    with LosingAnswers(tracking_server.port, *MAKING) as proxy:
        said = machine.run(
            "register",
            STUDY,
            "--as-is",
            MLFLOW_TRACKING_URI=tracking_server.url.replace(str(tracking_server.port), str(proxy.port)),
        )
        assert proxy.left == []
    return machine, said


@pytest.fixture(scope="module")
def version(registered):
    return re.search(r"patchscale-\S+/\d+", registered[1]).group()


def study_on(machine):
    """The study as code on this machine opens it."""
    tracking, storage = (machine.environment[name] for name in ("MLFLOW_TRACKING_URI", "PATCHSCALE_STORAGE"))
    return load_study(Stores(tracking_uri=tracking, storage_uri=storage, home=machine.directory / "mlruns"), STUDY)


@pytest.fixture
def other(trained, request):
    return trained(re.sub(r"\W", "-", request.node.name)[:30])


@pytest.mark.lesson("L39")
@pytest.mark.parametrize(
    ("command", "says"),
    [
        (("status",), STUDY),
        (("audit", STUDY), ""),
        (("report", STUDY, "--resamples", "200"), "html"),
        (("walkforward", STUDY, "--first-year", "2015", "--last-year", "2015", "--workers", "1"), "2015"),
        (("reconcile", STUDY), "agree"),
        (("baselines", STUDY), ""),
        (("register", STUDY), "patchscale-"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_a_command_of_a_study_works_where_its_data_are_not(other, command, says):
    assert says in other.run(*command, code=1 if command[0] == "audit" else 0)


@pytest.mark.lesson("L40")
def test_a_registration_whose_answers_are_lost_waits_and_makes_everything_once(registered, version):
    machine, said = registered
    assert "answers again after" in said
    client = study_on(machine).client
    name, _, number = version.partition("/")
    (made,) = [each for each in client.search_model_versions(f"name = '{name}'") if int(each.version) == int(number)]
    of_run = client.search_model_versions(f"run_id = '{made.run_id}'")
    assert [each.version for each in of_run] == [made.version] and made.tags["members.as_is"] == "true"
    run = client.get_run(made.run_id)
    assert run.info.status == "FINISHED"
    experiment = [run.info.experiment_id]
    runs = client.search_runs(experiment, f"attributes.run_name = '{run.info.run_name}'")
    assert [each.info.status for each in runs if each.info.start_time == run.info.start_time] == ["FINISHED"]
    logged = client.search_logged_models(experiment, f"source_run_id = '{made.run_id}'")
    assert [(each.model_id, each.status) for each in logged] == [(made.tags["model.id"], "READY")]


@pytest.mark.lesson("L39")
def test_a_registered_version_is_evaluated_and_asked_where_its_data_are_not(other, version):
    said = other.run("verify", code=None)
    assert "model versions: " in said and "BAD artifacts" not in said and "BAD model" not in said
    assert "test" in other.run("evaluate", version)
    assert json.loads(other.run("predict", version, "--offline", "--json"))["version"] == version


@pytest.mark.lesson("L39")
def test_a_trials_model_on_a_server_is_whole_and_a_version_of_it_by_hand_is_asked_from_elsewhere(other):
    study, name = study_on(other), "by-hand"
    models = list(trial_models(study))
    assert [model.status for model in models] == ["READY"] * 2
    study.client.create_registered_model(name)
    model_id, run_id = models[0].model_id, models[0].source_run_id
    study.client.create_model_version(name, f"models:/{model_id}", run_id, model_id=model_id)
    said = json.loads(other.run("predict", f"{name}/1", "--offline", "--json"))
    assert said["version"] == f"{name}/1" and f"{name}/1 was {BY_HAND}" in said["remarks"]
    assert keep_best_models(study, 1) == (0, ())
    kept = {model.model_id for model in trial_models(study)}
    best = min(study.finished(), key=lambda trial: (trial.value, trial.number)).user_attrs["run_id"]
    assert kept == {model.model_id for model in models if model in models[:1] or model.source_run_id == best}


def test_the_record_names_the_data_where_every_machine_finds_them(other):
    study = study_on(other)
    digest = study.plan.data.dataset
    for run in (study.client.get_run(study.run_id), *study.runs("trial")):
        for each in run.inputs.dataset_inputs:
            where = json.loads(each.dataset.source)["uri"]
            held = re.fullmatch(rf"runs:/(\w+)/({FOLDER}/datasets/{each.dataset.digest}.parquet)", where)
            assert held, "of this study, or of the first of its experiment with these data: MLflow keeps one entity"
            run_id, path = held.groups()
            assert path in {file.path for file in study.client.list_artifacts(run_id, f"{FOLDER}/datasets")}
    dataset, _ = study.load_data()
    assert dataset.digest == digest and study.data_root == other.directory / "data"
    assert load_dataset(other.directory / "data", digest).digest == digest


@pytest.mark.lesson("L29")
def test_a_walk_forward_goes_on_on_another_machine_where_a_dead_one_stood_to_the_last_bit(trained):
    dead, heir, undisturbed = (trained(f"walking-{name}") for name in ("dead", "heir", "undisturbed"))
    process = dead.start_program([sys.executable, "-c", DYING, *WALK, "--workers", "1"], interpreter=False)
    said = process.communicate()[0]
    assert process.returncode == -9, said
    study = study_on(heir)
    (run,) = study.runs(WALK_FORWARD_ROLE, status="RUNNING")
    kept = {each.path for each in study.client.list_artifacts(run.info.run_id, FOLDS)}
    assert len(kept) == 2
    said = heir.run(*WALK, "--workers", "2")
    assert "2 of 6 parts are kept from an earlier command" in said and run.info.run_id in said, said
    ended = study.client.get_run(run.info.run_id)
    assert ended.info.status == "FINISHED"
    assert kept < {each.path for each in study.client.list_artifacts(run.info.run_id, FOLDS)}
    taken_over = read_days(study, ended)
    study.client.delete_run(run.info.run_id)
    undisturbed.run(*WALK, "--workers", "2")
    (again,) = study.runs(WALK_FORWARD_ROLE, status="FINISHED", params={FIRST_YEAR: "2013"})
    assert again.info.run_id != run.info.run_id
    assert read_days(study, again).equals(taken_over)
    of_both = ({name: value for name, value in each.data.metrics.items() if "loss" in name} for each in (again, ended))
    losses, expected = of_both
    assert losses == expected != {}


def rows(postgres, databases):
    """Everything that databases hold, a line a row, without the dumps' own keys."""
    lines = "".join(postgres.dump(database) for database in databases).splitlines()
    return [line for line in lines if not line.startswith("\\")]


@pytest.mark.lesson("L40")
@pytest.mark.parametrize(
    "command",
    [
        ("hpo", *SEARCH[1:], "--study", STUDY, "--trials", "3"),
        ("supplement", STUDY),
        ("walkforward", "baselines", "--study", STUDY, "--first-year", "2012", "--last-year", "2012"),
        ("baselines", STUDY),
        ("register", STUDY, "--as-is"),
        ("promote", "VERSION", "--force", "tried"),
        ("evaluate", "VERSION", "--again"),
        ("gc", STUDY, "--keep", "1"),
    ],
    ids=lambda command: command[0],
)
def test_who_was_cut_off_while_another_came_and_left_writes_nothing(other, version, postgres, tracking_server, command):
    storage = other.environment["PATCHSCALE_STORAGE"]
    databases = storage.rpartition("/")[2], tracking_server.database
    arguments = [version if each == "VERSION" else each for each in command]
    if command[0] == "baselines":
        study = study_on(other)
        study.client.delete_run(study.runs(BASELINE_ROLE)[0].info.run_id)  # else all are there
    process = other.start_program([sys.executable, "-c", CUT_OFF, *arguments], interpreter=False)
    names = next(line.split()[1:] for line in process.stdout if line.startswith("holds "))
    postgres.terminate(databases[0])
    visitor = AdvisoryLock(storage, dict.fromkeys(names, ""), brief=False)
    visitor.take(0.0)
    visitor.free()
    before = rows(postgres, databases)
    (other.directory / "go on").touch()
    said = process.stdout.read()
    assert process.wait() == 2 and "Traceback" not in said, said
    assert re.search(r"^error: .* unknown, which took it over while this one had no connection", said, re.M), said
    assert said.count("error: ") == 1
    assert rows(postgres, databases) == before
