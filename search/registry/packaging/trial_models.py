"""A study's best trials as MLflow's logged models: the Models tab compares them, its Register button takes one.

Such a model is the trial's own weights as a package that serves.  Nothing is proved of it here: that costs a process,
and whoever makes a version of it champion has it proved.  In a store of this machine the weights are a link to the
trial's checkpoint and take no space of their own; either may go, and the other stays.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mlflow.entities import LoggedModelOutput, LoggedModelStatus, Metric
from mlflow.models import Model

from model.network.checkpoint import checkpoint_spec
from model.serving.package_info import PackageFacts, package_facts
from model.serving.packaged import PackagedModel, member_name, require_members, write_facts
from pipeline.exceptions import RecordError
from search.registry.packaging.best_trial import own_specs
from search.registry.packaging.members import last_windows, member_tags
from search.registry.packaging.mlflow_model import facts_in_short, pack_code, save_form, stamp_form
from search.registry.versions.versions import AS_IS, TRAINED_THROUGH
from search.tracking.artifacts import checkpoints_of, fetch_artifact
from search.tracking.location import local_path
from search.tracking.tags import NOTE

if TYPE_CHECKING:
    from mlflow.entities import LoggedModel

    from model.spec.spec import Spec
    from search.results.trial_runs import RecordedTrial
    from search.study.study import Study

PACKAGE = "artifacts/package"
"""Where a package lies in MLflow's form of it."""
NOTE_TEXT = (
    "Trial {trial} of study {study}, its own weights. Takes raw daily bars, at least {days} sessions of `{columns}`. "
    "A version that is registered here serves; its gate is not asked: `patchscale promote NAME/NUMBER` asks it."
)
UNSAFE = re.compile(r"[^\w^=+-]+")


@dataclass(kw_only=True, slots=True)
class _Shared:
    """What models of one study share: the form on disk, and facts by what their windows depend on."""

    form: Model = field(default_factory=Model)
    facts: dict[tuple[int, tuple[int, ...]], PackageFacts] = field(default_factory=dict)


class ModelMaker:
    """Makes logged models of a study's trials.

    Parameters
    ----------
    study : Study
        Held by the caller.
    """

    def __init__(self, study: Study) -> None:
        self.study = study
        self.dataset, self.pooled = study.load_data()
        self._shared = _Shared()

    def make(self, trial: RecordedTrial, begun: LoggedModel | None, directory: Path) -> None:
        """Make one, or finish one that was begun; a failure leaves it FAILED, which the next call finishes.

        Parameters
        ----------
        trial : RecordedTrial
            With its weights.
        begun : LoggedModel, optional
            What a killed command or a failure left of it.
        directory : Path
            For the files of all that this maker makes.

        Raises
        ------
        PatchscaleError
            If the study's tier can't be served, or a checkpoint is not that of its run.
        """
        client = self.study.client
        packaged = self._packaged(trial)
        logged = begun or client.create_logged_model(
            self.study.experiment_id,
            name=UNSAFE.sub("-", f"{self.study.plan.study}-{trial.number:03d}-{packaged.spec.architecture.label}"),
            source_run_id=trial.run_id,
            tags=self._tags(trial, packaged),
            params=trial.spec.params() if trial.spec else {},
        )
        try:
            self._log_files(trial, logged, packaged, directory)
            client.log_batch(trial.run_id, metrics=list(_metrics(trial, logged)))
            outputs = trial.run.outputs.model_outputs if trial.run.outputs else []
            if logged.model_id not in [each.model_id for each in outputs]:
                client.log_outputs(trial.run_id, [LoggedModelOutput(logged.model_id, step=0)])
        except BaseException:
            client.finalize_logged_model(logged.model_id, LoggedModelStatus.FAILED)
            raise
        client.finalize_logged_model(logged.model_id, LoggedModelStatus.READY)

    def _packaged(self, trial: RecordedTrial) -> PackagedModel:
        """Gather what the trial's package says of itself, without its weights."""
        assert trial.spec is not None
        specs = own_specs(trial.spec)
        n_epochs = (int(trial.run.data.metrics["best/epoch"]),) * len(specs)
        seen = (trial.spec.architecture.context_length, tuple(trial.spec.architecture.ahead))
        if seen not in self._shared.facts:
            rows = last_windows(trial.spec, self.dataset, self.pooled).train_rows
            own = rows[rows < len(self.dataset.dates)]
            self._shared.facts[seen] = package_facts(
                specs, self.dataset, own, n_epochs=n_epochs, study=self.study.plan.study
            )
        seeds = tuple(spec.seed for spec in specs)
        facts = replace(self._shared.facts[seen], n_epochs=n_epochs, seeds=seeds)
        require_members(specs, facts)
        return PackagedModel(members=(), specs=specs, facts=facts)

    def _tags(self, trial: RecordedTrial, packaged: PackagedModel) -> dict[str, str]:
        """Gather what ``patchscale register`` would say of a version that is these weights."""
        facts, last = packaged.facts, str(self.dataset.dates[-1].date())
        return {
            **facts_in_short(packaged),
            **member_tags(self.study, trial, facts.seeds, facts.n_epochs[0], last),
            AS_IS: "true",
            TRAINED_THROUGH: facts.trained_through,
            NOTE: NOTE_TEXT.format(
                trial=trial.number,
                study=self.study.plan.study,
                days=packaged.required_days,
                columns=", ".join(packaged.columns),
            ),
        }

    def _log_files(self, trial: RecordedTrial, logged: LoggedModel, packaged: PackagedModel, directory: Path) -> None:
        """Log form and code, then the weights from where they lie."""
        weights = [self._weights(trial, name, spec, directory) for name, spec in _kept(trial, packaged)]
        form, shared = directory / "model", self._shared.form
        stamp_form(shared, logged, packaged)
        package = directory / "package"
        write_facts(package, len(packaged.specs), packaged.facts)
        if not form.exists():
            save_form(form, package, packaged, shared)
            pack_code(form, shared)
        shutil.copytree(package, form / PACKAGE, dirs_exist_ok=True)
        shared.model_size_bytes = sum(path.stat().st_size for path in (*form.rglob("*"), *weights) if path.is_file())
        shared.save(str(form / "MLmodel"))
        self.study.client.log_model_artifacts(logged.model_id, str(form))
        for number, found in enumerate(weights):
            self._log_weights(logged, found, member_name(number), directory)

    def _weights(self, trial: RecordedTrial, name: str, spec: Spec, directory: Path) -> Path:
        """Where a checkpoint of a trial lies, or a copy of it, once it is known to be of its run."""
        found = fetch_artifact(self.study.client, trial.run, name, directory / trial.run_id)
        if found is None or checkpoint_spec(found) != spec:
            got = "none" if found is None else "another"
            raise RecordError(f"checkpoint {name} of {trial.name} must hold its run's spec, got {got}")
        return found

    def _log_weights(self, logged: LoggedModel, found: Path, name: str, directory: Path) -> None:
        place = local_path(logged.artifact_location)
        if place is not None:
            link_or_copy(found, place / PACKAGE / name)
            return
        staged = directory / "weights" / Path(name).name
        link_or_copy(found, staged)
        self.study.client.log_model_artifact(logged.model_id, str(staged), f"{PACKAGE}/{Path(name).parent}")
        staged.unlink()


def _kept(trial: RecordedTrial, packaged: PackagedModel) -> Iterator[tuple[str, Spec]]:
    return zip(checkpoints_of(trial.run), packaged.specs, strict=True)


def link_or_copy(source: Path, target: Path) -> None:
    """Put a file in its place at once, whole: as a link to its content where the file system can, else as a copy."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    part.unlink(missing_ok=True)
    try:
        os.link(source.resolve(), part)
    except OSError:
        shutil.copyfile(source, part)
    os.replace(part, target)
    part.unlink(missing_ok=True)  # of two links to one file, replace leaves both


def _metrics(trial: RecordedTrial, logged: LoggedModel) -> Iterator[Metric]:
    """Figures of the run's best weights as the model's, on the validation days of its dataset; the run's stay."""
    inputs = trial.run.inputs.dataset_inputs if trial.run.inputs else []
    days = next((each.dataset for each in inputs if "validation" in [tag.value for tag in each.tags]), None)
    for held in trial.run.data._metric_objs:
        if held.key.startswith("best/"):
            yield Metric(
                held.key,
                held.value,
                held.timestamp,
                held.step,
                model_id=logged.model_id,
                dataset_name=days.name if days else None,
                dataset_digest=days.digest if days else None,
            )
