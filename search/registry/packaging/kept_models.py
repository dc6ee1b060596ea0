"""The logged models of a study's trials: which there are, whose should be, and the deletion of those that lost."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from pipeline.exceptions import PatchscaleError, StoreLostError, describe_error
from search.registry.versions.by_hand import model_id_of
from search.registry.versions.versions import STUDY_RUN, every_version
from search.results.trial_runs import RecordedTrial, read_trial
from search.study.study import STANDARD_KEEP, Study
from search.tracking.artifacts import checkpoint_bytes
from search.tracking.location import local_path
from search.tracking.reader import every_page, find_run, is_active, matching
from search.tracking.tags import TRIAL_RUN

if TYPE_CHECKING:
    from mlflow.entities import LoggedModel
READY = "READY"


def keep_best_models(study: Study, keep: int | None = None) -> tuple[int, tuple[str, ...]]:
    """Make the best trials of a study logged models, and those of no other trial.

    What is there already stays; what a killed command left half made is finished.  The model of a trial that is
    among the best no more goes, unless a version was made of it: the trial's run keeps its record.

    Parameters
    ----------
    study : Study
        Held by the caller.
    keep : int, optional
        How many; as many as keep their weights if not given, five where all do.

    Returns
    -------
    int, tuple of str
        Trials whose models were made by this call, and why those of others could not be.
    """
    best = best_trials(study, keep or study.keep or int(STANDARD_KEEP))
    held = list(trial_models(study))
    own = {trial.run_id: model for trial in best for model in held if model.tags[TRIAL_RUN] == trial.run_id}
    delete_models(study, [model for model in held if model not in own.values()])
    missing = [trial for trial in best if not is_whole(own.get(trial.run_id)) and _has_weights(study, trial)]
    if not missing:
        return 0, ()
    from search.registry.packaging.trial_models import ModelMaker  # MLflow's models take a second to load

    maker, problems = ModelMaker(study), list[str]()
    with TemporaryDirectory() as directory:
        for trial in reversed(missing):  # the tab shows the newest first
            try:
                maker.make(trial, own.get(trial.run_id), Path(directory))
            except StoreLostError:
                raise
            except Exception as error:
                problems.append(str(error) if isinstance(error, PatchscaleError) else describe_error(error))
    return len(missing) - len(problems), tuple(dict.fromkeys(problems))


def best_trials(study: Study, count: int) -> list[RecordedTrial]:
    """Find the finished trials of the lowest loss whose records can be trusted, the best first."""
    found = list[RecordedTrial]()
    for trial in sorted(study.finished(), key=lambda trial: (trial.value, trial.number)):
        run = find_run(study.client, str(trial.user_attrs.get("run_id")))
        if run is not None and is_active(run):
            recorded = read_trial(run)
            if recorded.finished and recorded.spec is not None and not recorded.problem:
                found.append(recorded)
        if len(found) == count:
            break
    return found


def trial_models(study: Study) -> Iterator[LoggedModel]:
    """Every logged model that is a trial of the study, whatever its state, whole ones last."""
    query = matching({STUDY_RUN: study.run_id})
    search = study.client.search_logged_models
    found = list(every_page(search, experiment_ids=[study.experiment_id], filter_string=query))
    return iter(sorted((each for each in found if TRIAL_RUN in each.tags), key=is_whole))


def losing_models(study: Study, keep: int) -> list[LoggedModel]:
    """Find logged models of trials that are not among the best, and of which no version was made."""
    best = {trial.run_id for trial in best_trials(study, keep)}
    return _unused(study, [model for model in trial_models(study) if model.tags[TRIAL_RUN] not in best])


def delete_models(study: Study, models: Sequence[LoggedModel]) -> list[LoggedModel]:
    """Delete logged models with their files, but for those that a version was made of; those that went."""
    lost = _unused(study, models)
    for model in lost:
        study.client.delete_logged_model(model.model_id)
        _delete_files(study, model)
    return lost


def _unused(study: Study, models: Sequence[LoggedModel]) -> list[LoggedModel]:
    used = {model_id_of(study.client, version) for version in every_version(study.client)} if models else set()
    return [model for model in models if model.model_id not in used]


def _delete_files(study: Study, model: LoggedModel) -> None:
    """Delete what a logged model holds; what a store does not delete is left to ``mlflow gc``."""
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    place = local_path(model.artifact_location)
    with suppress(Exception):
        if place is not None:
            assert place.parent.name == model.model_id, "nothing but this model's own folder"
            shutil.rmtree(place.parent)
        else:
            get_artifact_repository(model.artifact_location, tracking_uri=study.client.tracking_uri).delete_artifacts()


def is_whole(model: LoggedModel | None) -> bool:
    """Whether a logged model is there with all its files."""
    return model is not None and str(model.status) == READY


def _has_weights(study: Study, trial: RecordedTrial) -> bool:
    return checkpoint_bytes(study.client, trial.run) is not None
