"""The import: every file is parsed before anything is written; what the record holds is not written again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from search.legacy.parse.csv import parse_csv
from search.legacy.parse.json import parse_json_trials
from search.legacy.parse.log import parse_log
from search.legacy.parse.source import SourceFile, read_source
from search.legacy.record.present import Present, look_up
from search.legacy.record.runs import LEGACY, ORIGIN, SOURCE, run_name, trial_metrics, trial_params, trial_tags
from search.legacy.recover.report import FileReport
from search.legacy.recover.trial import LegacyTrial, digest
from search.study.study import find_or_create_experiment
from search.tracking.board import board_link, save_board
from search.tracking.locks import study_lock
from search.tracking.provenance import code_tags
from search.tracking.reader import matching
from search.tracking.run import RunWriter
from search.tracking.stores import Stores, open_tracking, prepare_home
from search.tracking.tags import LEGACY_STUDY_ROLE, LEGACY_TRIAL_ROLE, NOTE, ROLE

if TYPE_CHECKING:
    from mlflow import MlflowClient

Parser = Callable[[SourceFile, FileReport], list[LegacyTrial]]
PARSERS: dict[str, Parser] = {"csv": parse_csv, "json": parse_json_trials, "log": parse_log}
LOCK = "legacy-import"
BOARD = "legacy"
EXPERIMENT = "patchscale-legacy-"
ABOUT = (
    "Imported from an earlier study's files; what they do not say is absent. There are no predictions, so nothing here "
    "is evidence. Of the public scaling study of 2025-26 it is known that weight decay and warm-up never reached its "
    "optimizer, that its 3- and 5-day studies trained on 1-day labels, and that weekly indicators looked ahead."
)


def parse_files(paths: Sequence[Path], kind: str | None = None) -> list[tuple[SourceFile, FileReport]]:
    """Read and parse every file, writing nothing.

    Raises
    ------
    InputError, StoreError
        If one of them can't be parsed wholly.
    """
    parsed = []
    for path in paths:
        source = read_source(path, kind)
        report = FileReport(name=source.name, kind=source.kind)
        report.trials = PARSERS[source.kind](source, report)
        parsed.append((source, report))
    return parsed


def import_files(
    stores: Stores, parsed: Sequence[tuple[SourceFile, FileReport]], advance: Callable[[], None] = lambda: None
) -> list[str]:
    """Write what is not yet there, one run a trial, and fill in the reports.

    Parameters
    ----------
    stores : Stores
        Whose tracking store holds the record.
    parsed : sequence
        From :func:`parse_files`.
    advance : callable
        Called once a trial.

    Returns
    -------
    list of str
        Links to the comparison boards.
    """
    prepare_home(stores)
    client = open_tracking(stores)
    with study_lock(stores, LOCK):
        importer = _Importer(client, stores, look_up(client), advance)
        for source, report in parsed:
            importer.add(source, report)
    return [board_link(experiment_id, BOARD) for experiment_id in importer.experiments.values()]


def experiment_name(trial: LegacyTrial) -> str:
    """Name the experiment: losses compare within a horizon; the ticker is nowhere in the sources."""
    return f"{EXPERIMENT}{'unknown-horizon' if trial.horizon is None else f'h{trial.horizon}'}"


@dataclass(slots=True)
class _Importer:
    """Writes the trials of one import."""

    client: MlflowClient
    stores: Stores
    present: Present
    advance: Callable[[], None]
    experiments: dict[str, str] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)

    def add(self, source: SourceFile, report: FileReport) -> None:
        """Write one file's trials, a parent run a study of each horizon."""
        groups: dict[tuple[str, str], list[LegacyTrial]] = {}
        for trial in report.trials:
            if trial.fingerprint in self.seen:
                report.repeated.append(trial.where)
                self.advance()
                continue
            self.seen.add(trial.fingerprint)
            groups.setdefault((experiment_name(trial), trial.group), []).append(trial)
        parents = [self._add_group(source, report, name, group, trials) for (name, group), trials in groups.items()]
        for parent in filter(None, parents):
            self.client.log_text(parent, "\n".join(report.text(None)) + "\n", f"import-{source.digest[:12]}.txt")

    def _add_group(
        self, source: SourceFile, report: FileReport, name: str, group: str, trials: Sequence[LegacyTrial]
    ) -> str | None:
        """Write a group's missing trials; return its parent run if anything was written."""
        experiment_id = self._experiment(name)
        found = [(trial, *self.present.find(trial)) for trial in trials]
        missing = [(trial, run) for trial, run, replace in found if run is None or replace]
        report.present += len(trials) - len(missing)
        for _ in range(len(trials) - len(missing)):
            self.advance()
        identity = digest(name, group, source.digest)
        parent = self.present.parent([run for _, run, _ in found if run is not None], identity, experiment_id)
        if not missing and (parent is None or parent.info.status != "RUNNING"):
            return None
        parent_id = parent.info.run_id if parent else self._parent(experiment_id, name, source, trials[0], identity)
        for trial, outdated in missing:
            if outdated is not None:
                self.client.delete_run(outdated.info.run_id)
                report.replaced += outdated.info.status != "RUNNING"
            self._write(experiment_id, parent_id, source, trial)
            report.written += 1
            self.advance()
        self.client.set_terminated(parent_id, "FINISHED")
        return parent_id

    def _write(self, experiment_id: str, parent_id: str, source: SourceFile, trial: LegacyTrial) -> None:
        """Write one run in three calls; interrupted in between, it stays RUNNING and is replaced next time."""
        writer = RunWriter.create(
            self.client,
            experiment_id,
            run_name(trial),
            role=LEGACY_TRIAL_ROLE,
            parent=parent_id,
            tags=trial_tags(trial, source.name),
            versions={},
        )
        writer.log(trial_metrics(trial), params=trial_params(trial))
        writer.end(trial.outcome.status)

    def _experiment(self, name: str) -> str:
        if name not in self.experiments:
            experiment_id = find_or_create_experiment(self.client, self.stores, name)
            self.client.set_experiment_tag(experiment_id, ORIGIN, LEGACY)
            save_board(self.client, experiment_id, BOARD, query=matching({ROLE: LEGACY_TRIAL_ROLE}))
            self.experiments[name] = experiment_id
        return self.experiments[name]

    def _parent(self, experiment_id: str, name: str, source: SourceFile, first: LegacyTrial, identity: str) -> str:
        study = None if first.form == "csv" else first.study
        return RunWriter.create(
            self.client,
            experiment_id,
            study or f"{source.name} {name.removeprefix(EXPERIMENT)}",
            role=LEGACY_STUDY_ROLE,
            study=study or "",
            tags={ORIGIN: LEGACY, SOURCE: identity, NOTE: ABOUT, "legacy.file": source.name},
            versions=code_tags(),
        ).run_id
