"""Two of each brief command that writes, started together: they end as one after the other would."""

import multiprocessing
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from model.baselines import BASELINES
from search.audit.audit import audit_study
from search.audit.verify import verify
from search.cli import main
from search.registry.gc import DELETED
from search.registry.versions.aliases import move_champion, moves_of
from search.registry.versions.versions import versions_of
from search.results.holdout import count_openings
from search.results.trial_runs import recorded_trials
from search.study.study import load_study
from search.tracking.stores import resolve_stores
from search.tracking.tags import BASELINE_ROLE, ROLE
from tests.golden.conftest import PROJECT, unpack

STUDY, INTERRUPTED, MODEL = "complete", "interrupted", "patchscale-ACME-h1"
IMPORTED = [
    "search.registry.register",
    "search.registry.promote",
    "sklearn.ensemble",
    "tests.journeys.test_two_at_once",
]
TIME_LIMIT_SECONDS = 1500
RECONCILED = {
    **{"trial RUNNING": -1, "trial KILLED": 1},
    **{"scheduled RUNNING": -1, "scheduled FAIL": 1, "scheduled WAITING": 1},
}

pytestmark = [pytest.mark.slow, pytest.mark.lesson("L40")]


@dataclass(frozen=True)
class Record:
    """A directory with a record of its own."""

    directory: Path

    @property
    def stores(self):
        names = ("mlflow", "optuna")
        return resolve_stores(*(f"sqlite:///{self.directory}/mlruns/{name}.db" for name in names))

    def study(self, name=STUDY):
        return load_study(self.stores, name, repair=True)

    def facts(self):
        """Count what there is: runs, trials, versions, moves of the champion, openings and deleted checkpoints."""
        study, found = self.study(), Counter()
        for each in (study, self.study(INTERRUPTED)):
            found.update(f"{run.data.tags[ROLE]} {run.info.status}" for run in each.runs())
            found.update(f"scheduled {trial.state.name}" for trial in each.schedule.get_trials())
            found["deleted"] += sum(DELETED in trial.run.data.tags for trial in recorded_trials(each))
        found["links"] = len(study.client.get_run(study.run_id).data.tags["registered.as"].split(", "))
        found["versions"], found["moves"] = len(versions_of(study.client, MODEL)), len(moves_of(study.client, MODEL))
        found["openings"] = count_openings(study)
        return found

    def findings(self):
        """Give what verify and audit find, but for what was not tested and the run whose command was killed."""
        found = {line for whole, line in verify(self.stores, self.directory / "data") if not whole}
        found -= {line for line in found if line.startswith("runs: ")}
        for name in (STUDY, INTERRUPTED):
            audit = audit_study(self.study(name))
            found |= {*audit.duplicates, *audit.invalid, *audit.disagreements, *audit.lost}
        return found


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    return Record(unpack(tmp_path_factory.mktemp("record")))


@pytest.fixture(scope="module")
def together(record):
    """Run commands at once, each in a process of its own; their exit codes, and what all of them said."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(IMPORTED)

    def run(*commands):
        barrier = context.Barrier(len(commands))
        files = [record.directory / f"said-{i}.txt" for i in range(len(commands))]
        started = [
            context.Process(target=_command, args=(record.directory, file, barrier, arguments))
            for file, arguments in zip(files, commands, strict=True)
        ]
        for process in started:
            process.start()
        for process in started:
            process.join(TIME_LIMIT_SECONDS)
        return [process.exitcode for process in started], "".join(file.read_text(encoding="utf-8") for file in files)

    return run


def _command(directory, file, barrier, arguments):
    handle = os.open(file, os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    os.chdir(directory)
    os.environ |= {"PYTHONPATH": str(PROJECT), "COLUMNS": "200"}
    barrier.wait(TIME_LIMIT_SECONDS)
    main(arguments)


def forget_baselines(study):
    for run in study.runs(BASELINE_ROLE):
        study.client.delete_run(run.info.run_id)


def replace_champion(study):
    """Version 1 is champion before and after another one."""
    source = study.client.get_model_version(MODEL, "1").source
    version = study.client.create_model_version(MODEL, source=source)
    move_champion(study.client, MODEL, int(version.version), how="gate")


def replace_twice(study):
    replace_champion(study)
    move_champion(study.client, MODEL, 1, how="gate")


def leave(study):
    """Change nothing."""


@pytest.mark.parametrize(
    ("arguments", "prepare", "change"),
    [
        (["reconcile", INTERRUPTED], leave, RECONCILED),
        (["baselines", STUDY], forget_baselines, {"baseline FINISHED": len(BASELINES)}),
        (["register", STUDY, "--as-is"], leave, {"registration FINISHED": 2, "versions": 2, "links": 2}),
        (["promote", f"{MODEL}/1", "--force", "a drill"], replace_champion, {"moves": 1}),
        (["rollback", MODEL], replace_twice, {"moves": 2}),
        (["gc", STUDY, "--keep", "1"], leave, {"deleted": 2}),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_two_brief_commands_at_once_do_what_two_in_turn_would(record, together, arguments, prepare, change):
    prepare(record.study())
    before = record.facts()
    codes, said = together(arguments, arguments)
    assert codes == [0, 0], said
    after = record.facts()
    assert {name: after[name] - before[name] for name in before | after if after[name] != before[name]} == change
    assert not record.findings()
