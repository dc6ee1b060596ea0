"""The import: every file is parsed before anything is written; what the record holds is not written again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from search.legacy.parse.files import parse_files
from search.legacy.parse.source import SourceFile
from search.legacy.parse.spilled import Picked
from search.legacy.record.present import ALSO, Present, look_up
from search.legacy.record.runs import (
    FILE,
    LEGACY,
    MAX_TAG,
    ORIGIN,
    SOURCE,
    run_name,
    trial_metrics,
    trial_params,
    trial_tags,
)
from search.legacy.record.twins import Known, family, known_trial, what_is_new
from search.legacy.recover.fields import printable
from search.legacy.recover.report import FileReport
from search.legacy.recover.trial import FOREIGN, SINGLE, LegacyTrial, digest
from search.study.life_cycle import find_or_create_experiment
from search.tracking.board import LOSS_METRIC, board_link, save_board
from search.tracking.lease import brief_lease
from search.tracking.locks import IMPORT
from search.tracking.provenance import code_tags
from search.tracking.reader import matching
from search.tracking.run import RunWriter
from search.tracking.stores import Stores, open_tracking, prepare_home
from search.tracking.tags import LEGACY_STUDY_ROLE, LEGACY_TRIAL_ROLE, NOTE, PARENT, ROLE
from search.tracking.widths import EXPERIMENT_NAME, cut

if TYPE_CHECKING:
    from mlflow import MlflowClient

__all__ = ["import_files", "parse_files"]

BOARD = "legacy"
EXPERIMENT, FOREIGN_EXPERIMENT = "patchscale-legacy-", "patchscale-imported-"
MAX_PARAMS = 100
LONGEST_NAME = EXPERIMENT_NAME - 1
"""Of an experiment: on disk its artifacts lie in a folder of this name, which is of 255 letters at most."""
ABOUT = (
    "Imported from an earlier study's files; what they do not say is absent. There are no predictions, so nothing here "
    "is evidence. Of the public scaling study of 2025-26 it is known that weight decay and warm-up never reached its "
    "optimizer, that its 3- and 5-day studies trained on 1-day labels, and that weekly indicators looked ahead."
)
FOREIGN_ABOUT = (
    "Imported from what another tool recorded; what it does not say is absent. There are no predictions, so nothing "
    "here is evidence."
)


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
    with brief_lease(stores, IMPORT):
        importer = _Importer(client, stores, look_up(client), advance)
        for number, (source, report) in enumerate(parsed, 1):
            importer.add(source, report, is_last=number == len(parsed))
    return [board_link(experiment_id, BOARD, stores.tracking_uri) for experiment_id in importer.experiments.values()]


def experiment_name(trial: LegacyTrial, source: SourceFile) -> str:
    """Name the experiment: losses compare within a horizon of the earlier study, and within somebody else's study."""
    if trial.form in FOREIGN:
        name = f"{FOREIGN_EXPERIMENT}{trial.study or f'{source.folder}/{source.name}'}"
        return name if len(name) <= LONGEST_NAME else cut(name, LONGEST_NAME - 9) + f" {digest(name)[:8]}"
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
    compares_later: bool = True

    def add(self, source: SourceFile, report: FileReport, *, is_last: bool = False) -> None:
        """Write one file's trials, a parent run a study of each horizon; after the last nothing is compared with it."""
        groups: dict[tuple[str, str], list[int]] = {}
        families: set[str] = set()
        for at, trial in enumerate(report.trials):
            if trial.fingerprint in self.seen:
                report.repeated.append(trial.where)
                self.advance()
                continue
            self.seen.add(trial.fingerprint)
            families.add(family(trial.form))
            groups.setdefault((experiment_name(trial, source), trial.group), []).append(at)
        self.compares_later = not is_last or len(families) > 1
        parents = [
            self._add_group(source, report, name, group, Picked(report.trials, places))
            for (name, group), places in groups.items()
        ]
        for parent in filter(None, parents):
            self.client.log_text(parent, "\n".join(report.text(None)) + "\n", f"import-{source.digest[:12]}.txt")

    def _add_group(
        self, source: SourceFile, report: FileReport, name: str, group: str, trials: Sequence[LegacyTrial]
    ) -> str | None:
        """Write a group's missing trials; return its parent run if anything was written."""
        found = [self.present.find(trial) for trial in trials]
        absent = [at for at, (run, replace) in enumerate(found) if run is None or replace]
        new = [at for at in absent if found[at][0] is None]
        twins = {new[at]: known for at, known in self.present.twins.find_all(Picked(trials, new)).items()}
        for at in absent:
            if at in twins:
                self._add_source(twins[at], trials[at], source, report)
        missing = [at for at in absent if at not in twins]
        report.present += len(trials) - len(missing)
        for _ in range(len(trials) - len(missing)):
            self.advance()
        parents = [twin.parent for twin in twins.values()]
        parents += [run.data.tags.get(PARENT, "") for run, _ in found if run is not None]
        parent = next((self.present.parents[each] for each in parents if each in self.present.parents), None)
        if parent is None and not missing:
            return None
        identity = self._identity(name, group, source, trials[0])
        experiment_id = self._experiment(name) if parent is None else self._adopt(parent)
        parent = parent or self.present.parent([], identity, experiment_id)
        if parent is not None:
            self._name_source(parent, source)
        if not missing and (parent is None or parent.info.status != "RUNNING"):
            return None
        parent_id = parent.info.run_id if parent else self._parent(experiment_id, source, report, trials[0], identity)
        for at in missing:
            outdated = found[at][0]
            if outdated is not None:
                self.client.delete_run(outdated.info.run_id)
                report.replaced += outdated.info.status != "RUNNING"
            self._write(experiment_id, parent_id, source, trials[at])
            report.written += 1
            self.advance()
        self.client.set_terminated(parent_id, "FINISHED")
        self._save_board(experiment_id)
        return parent_id

    def _write(self, experiment_id: str, parent_id: str, source: SourceFile, trial: LegacyTrial) -> None:
        """Write one run in few calls; interrupted in between, it stays RUNNING and is replaced next time."""
        writer = RunWriter.create(
            self.client,
            experiment_id,
            run_name(trial),
            role=LEGACY_TRIAL_ROLE,
            parent=parent_id,
            tags=trial_tags(trial, source.name),
            versions={},
            start_time=trial.started,
        )
        metrics = trial_metrics(trial)
        self._log(writer, metrics, trial_params(trial))
        writer.log_curves(trial.curves)
        writer.end(trial.outcome.status, end_time=trial.ended)
        self.present.count(experiment_id, metrics)
        if self.compares_later:
            run = {"run_id": writer.run_id, "experiment_id": experiment_id, "parent": parent_id}
            self.present.twins.add(known_trial(trial, **run, file=source.name))

    def _add_source(self, twin: Known, trial: LegacyTrial, source: SourceFile, report: FileReport) -> None:
        """Let a run name a second file that says the same trial, and add what only that one says."""
        params, metrics = what_is_new(trial, twin)
        writer = RunWriter(self.client, twin.run_id)
        self._log(writer, metrics, params)
        if not twin.also:
            writer.log_curves(trial.curves)
        twin.also = "; ".join(filter(None, (twin.also, f"{source.name} {trial.where}")))
        twin.params, twin.metrics = {**twin.params, **params}, {**twin.metrics, **metrics}
        writer.set_tags(
            {"legacy.also": printable(twin.also, MAX_TAG), f"{ALSO}{trial.fingerprint[:12]}": trial.fingerprint}
        )
        report.same[twin.file] += 1

    @staticmethod
    def _log(writer: RunWriter, metrics: Mapping[str, float], params: Mapping[str, str]) -> None:
        names = list(params)
        first, *others = [names[at : at + MAX_PARAMS] for at in range(0, len(names), MAX_PARAMS)] or [[]]
        writer.log(metrics, params={name: params[name] for name in first})
        for more in others:
            writer.log({}, params={name: params[name] for name in more})

    def _experiment(self, name: str) -> str:
        if name not in self.experiments:
            experiment_id = find_or_create_experiment(self.client, self.stores, name)
            self.client.set_experiment_tag(experiment_id, ORIGIN, LEGACY)
            self.experiments[name] = experiment_id
            self._save_board(experiment_id)
        return self.experiments[name]

    def _adopt(self, parent: Any) -> str:
        experiment_id = str(parent.info.experiment_id)
        self.experiments.setdefault(self.client.get_experiment(experiment_id).name, experiment_id)
        return experiment_id

    def _save_board(self, experiment_id: str) -> None:
        """Show runs by the result that most of them have."""
        results = self.present.results.get(experiment_id) or {LOSS_METRIC: 1}
        metric = max(results, key=lambda name: (results[name], name == LOSS_METRIC))
        query = matching({ROLE: LEGACY_TRIAL_ROLE})
        save_board(self.client, experiment_id, BOARD, query=query, metric=metric)

    def _identity(self, name: str, group: str, source: SourceFile, first: LegacyTrial) -> str:
        """Name where a parent run is from: a file, or for files of a trial each, their folder."""
        return digest(name, group, f"folder {source.folder}" if first.form == SINGLE else source.digest)

    def _parent(
        self, experiment_id: str, source: SourceFile, report: FileReport, first: LegacyTrial, identity: str
    ) -> str:
        study = None if first.form == "csv" else first.study
        run_id = RunWriter.create(
            self.client,
            experiment_id,
            self._new_name(source, first, study),
            role=LEGACY_STUDY_ROLE,
            study=study or "",
            tags={
                ORIGIN: LEGACY,
                SOURCE: identity,
                NOTE: FOREIGN_ABOUT if first.form in FOREIGN else ABOUT,
                FILE: source.name,
                **{name: printable(text, MAX_TAG) for name, text in report.about.get(study or "", {}).items() if text},
            },
            versions=code_tags(),
        ).run_id
        self.present.parents[run_id] = self.client.get_run(run_id)
        return run_id

    def _new_name(self, source: SourceFile, first: LegacyTrial, study: str | None) -> str:
        """Name a study as its source does, else by folder and file; by more where that is the name of another one."""
        file = f"{source.folder}/{source.name}"
        name = study or (source.folder if first.form == SINGLE else file)
        if first.form == "csv" and first.horizon is not None:
            name, file = f"{source.name} h{first.horizon}", f"{file} h{first.horizon}"
        longer = file if name != file and study is None else f"{source.folder}/{name}"
        taken = self.present.names()
        return next((each for each in (name, longer) if each not in taken), f"{longer} {source.digest[:8]}")

    def _name_source(self, parent: Any, source: SourceFile) -> None:
        """Let a study name every file that it is from."""
        named = parent.data.tags.get(FILE, "").split(", ")
        if source.name not in named:
            named.append(source.name)
            parent.data.tags[FILE] = printable(", ".join(filter(None, named)), MAX_TAG)
            self.client.set_tag(parent.info.run_id, FILE, parent.data.tags[FILE])
