"""A study: its Optuna schedule and its MLflow parent run, each pointing at the other."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from model.spec.architecture import Architecture
from model.spec.migrations import schema_of
from pipeline.datasets.dataset import DatasetVersion, dataset_path, load_dataset
from pipeline.exceptions import StoreError
from pipeline.named_file import child
from search.space.extremes import extremes
from search.space.ranks import SearchSpace
from search.study.half_made import PLAN as PLAN
from search.study.half_made import RUN_ID as RUN_ID
from search.study.half_made import is_half_made, parent_runs, remove_half_made
from search.study.life_cycle import (
    find_or_create_experiment,
    lost_record,
    lost_schedule,
    require_record,
    whole_runs,
)
from search.study.plan import DATA_DIRECTORY, Plan
from search.study.plan_record import plan_params, plan_suffix, read_plan
from search.study.pruner import PRUNERS, make_pruner
from search.study.request import AUTO
from search.study.sampler import DEFAULT_SAMPLER, TrialSeededSampler
from search.study.study_names import unknown_study
from search.tracking.data_place import bring_data, is_shared
from search.tracking.reader import find_runs, matching
from search.tracking.run import RunWriter
from search.tracking.stores import Stores, open_storage, open_tracking
from search.tracking.tags import ROLE, STUDY, STUDY_ROLE
from search.tracking.widths import require_room

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

EXPERIMENT_ID, DATA_ROOT, TARGET_TRIALS = "experiment_id", "data_root", "target_trials"
SAMPLER, PRUNER, STOPPED, WORKED = "sampler", "pruner", "stopped", "worked_seconds"
KEEP, ALL, STANDARD_KEEP = "keep", "all", "5"
BARE = "bare"
SAID_SAMPLER, SAID_KEEP = "study.sampler", "study.keep"
"""Tags of a study's run."""


@dataclass(frozen=True, kw_only=True)
class Study:
    """An open study.

    Parameters
    ----------
    plan : Plan
        What its trials share.
    schedule : optuna.Study
        In Optuna's storage.
    client : MlflowClient
        Of the tracking store.
    experiment_id, run_id : str
        Of the parent run.
    home : Path
        Directory beside the stores: see :class:`search.tracking.stores.Stores`.
    """

    plan: Plan
    schedule: optuna.Study
    client: MlflowClient
    experiment_id: str
    run_id: str
    home: Path

    def training_state(self, run_id: str) -> Path:
        """Where a trial keeps what it needs to go on after its last epoch, as long as it has not ended."""
        return child(self.home / "training", f"{run_id}.safetensors", "run")

    @property
    def data_root(self) -> Path:
        """Data directory that holds the dataset version: that of the project whose store this is, else as recorded.

        Where no directory holds it, a shared store does: it is brought from there.
        """
        recorded = Path(self.schedule.user_attrs[DATA_ROOT])
        places = (self.home.parent / DATA_DIRECTORY, recorded, Path.cwd() / DATA_DIRECTORY)
        digests = (self.plan.data.dataset, *self.plan.data.pooled_digests)
        holding = (root for root in places if all(dataset_path(root, each).exists() for each in digests))
        if is_shared(self.client):
            root = next(holding, places[0])
            bring_data(self.client, self.run_id, digests, root)
            return root
        holding = (root for root in places if dataset_path(root, digests[0]).exists())
        return next(holding, recorded)

    def load_data(self) -> tuple[DatasetVersion, tuple[DatasetVersion, ...]]:
        """Dataset version of the forecast ticker, and of those that are trained on beside it.

        Raises
        ------
        DataError
            If one is not stored, or not what its name says.
        """
        data, root = self.plan.data, self.data_root
        return load_dataset(root, data.dataset), tuple(load_dataset(root, each) for each in data.pooled_digests)

    @property
    def target_trials(self) -> int:
        """How many finished trials make the study complete."""
        return int(self.schedule.user_attrs[TARGET_TRIALS])

    @property
    def record_schema(self) -> int:
        """Schema of the record that the study was made with: see :mod:`model.spec.migrations`."""
        return schema_of(json.loads(self.schedule.user_attrs[PLAN]))

    def runs(
        self,
        role: str = "",
        *,
        status: str = "",
        tags: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        deleted: bool = False,
    ) -> list[Run]:
        """Every run of this study, the latest first: of a role, with a status, with certain tags or params."""
        own = {STUDY: self.plan.study, **({ROLE: role} if role else {}), **(tags or {})}
        query = matching(own, params=params, status=status)
        return find_runs(self.client, [self.experiment_id], query, deleted=deleted)

    def start_run(self, name: str, *, role: str, tags: Mapping[str, str] | None = None) -> RunWriter:
        """Make a run below the study's own."""
        study, parent = self.plan.study, self.run_id
        return RunWriter.create(self.client, self.experiment_id, name, role=role, study=study, parent=parent, tags=tags)

    @property
    def keep(self) -> int | None:
        """How many of the best trials keep their weights; None is all of them, as in studies of older code."""
        kept = self.schedule.user_attrs.get(KEEP, ALL)
        return None if kept == ALL else int(kept)

    @property
    def is_bare(self) -> bool:
        """Whether it trains again what another study chose, so that nothing of its grid is missing."""
        return bool(self.schedule.user_attrs.get(BARE, False))

    def say_settings(self) -> None:
        """Say on the study's run which sampler it has, and how many trials keep their weights."""
        held = self.schedule.user_attrs
        said = {SAID_SAMPLER: held.get(SAMPLER, DEFAULT_SAMPLER), SAID_KEEP: held.get(KEEP, ALL)}
        RunWriter(self.client, self.run_id).set_tags(said)

    def finished(self) -> list[FrozenTrial]:
        """Trials that count towards the target, by number: trained to their end, each spec once."""
        return finished_trials(self.schedule)

    def is_begun(self) -> bool:
        """Whether a trial was ever started; if not, the study is only queued."""
        return any(trial.state != TrialState.WAITING for trial in self.schedule.get_trials(deepcopy=False))


def finished_trials(schedule: optuna.Study) -> list[FrozenTrial]:
    """Trials of a schedule that were trained to their end, each spec once, by number."""
    complete = schedule.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return [trial for trial in complete if "reuses" not in trial.user_attrs]


def open_or_create_study(
    stores: Stores,
    plan: Plan,
    *,
    trials: int,
    data_root: Path,
    sampler: str = DEFAULT_SAMPLER,
    pruner: str = PRUNERS[0],
    keep: str = AUTO,
    named: Collection[str] = (),
    bare: bool = False,
) -> Study:
    """Continue the study of this name, or make it with its extremes queued, unless it is to be bare.

    How many trials, where the data lie, which sampler, which pruner and how many trials keep their weights may change
    when a study is continued: a spec's result does not depend on who proposed it.  What ``named`` names may not; other
    fixed settings stay as the study has them, see :meth:`search.study.plan.Plan.with_settings`.

    Raises
    ------
    StoreError
        If the study exists with another plan; the message names each difference.
    """
    client, storage = open_tracking(stores), open_storage(stores)
    existing = {summary.study_name: summary for summary in optuna.get_all_study_summaries(storage)}
    if plan.study in existing and is_half_made(storage, existing[plan.study]):
        remove_half_made(client, storage, plan)
        del existing[plan.study]
    if plan.study in existing:
        study = load_study(stores, plan.study, client=client, storage=storage, repair=True)
        _require_same(study.plan, plan, "continued", named)
    else:
        study = _create(client, storage, stores, plan, trials, data_root, named, bare)
    study.schedule.sampler, study.schedule.pruner = TrialSeededSampler(plan.seed, sampler), make_pruner(pruner)
    asked = {SAMPLER: sampler, TARGET_TRIALS: trials, DATA_ROOT: str(data_root), PRUNER: pruner}
    asked |= {} if keep == AUTO else {KEEP: keep}
    for name, value in asked.items():
        study.schedule.set_user_attr(name, value)
    if not lost_record(client, study.experiment_id, study.run_id):
        study.say_settings()
    return study


def load_study(
    stores: Stores, name: str, *, client: MlflowClient | None = None, storage: Any = None, repair: bool = False
) -> Study:
    """Open an existing study.

    Parameters
    ----------
    stores, name
        Where it is, and which.
    client, storage : optional
        Of these stores, where they are open.
    repair : bool
        Whether the caller restores what was deleted of its record.

    Raises
    ------
    StoreError
        If there is none of this name, it was not made by patchscale, or its record was deleted.
    """
    client = client or open_tracking(stores)
    storage = storage or open_storage(stores)
    try:
        schedule = optuna.load_study(study_name=name, storage=storage)
    except KeyError:
        raise lost_schedule(client, name) or unknown_study(storage, name) from None
    try:
        attributes = schedule.user_attrs
        plan = read_plan(json.loads(attributes[PLAN]), schedule)
        schedule.sampler = TrialSeededSampler(plan.seed, attributes.get(SAMPLER, DEFAULT_SAMPLER))
        schedule.pruner = make_pruner(attributes.get(PRUNER, PRUNERS[0]))
        study = Study(
            plan=plan,
            schedule=schedule,
            client=client,
            experiment_id=attributes[EXPERIMENT_ID],
            run_id=attributes[RUN_ID],
            home=stores.home,
        )
    except KeyError as error:
        if PLAN in attributes or not (attributes or schedule.get_trials(deepcopy=False)):
            raise StoreError(f"study {name} must be finished being made, got no {error}; repeat its hpo") from error
        raise StoreError(
            f"study must be one that patchscale made, got {name!r} (no {error}); see patchscale status"
        ) from error
    if not repair:
        require_record(client, name, study.experiment_id, study.run_id)
    return study


def _require_same(stored: Plan, plan: Plan, how: str, named: Collection[str]) -> None:
    different = stored.differences(plan.with_settings(stored.fixed_settings, named))
    if different:
        raise StoreError(
            f"study {plan.study} can only be {how} as it was made, got {'; '.join(different)}; repeat the first "
            f"command, or start a new study with --study {plan.study}-{plan_suffix(plan)}"
        )


def find_parent_run(client: MlflowClient, plan: Plan, named: Collection[str] = ()) -> tuple[str, Plan] | None:
    """Run of a study of this name whose schedule was lost, and its plan; None if there is none.

    Raises
    ------
    StoreError
        If the run is of another plan; the message names each difference.
    """
    runs = whole_runs(parent_runs(client, plan))
    if not runs:
        return None
    stored = read_plan(runs[0].data.params)
    _require_same(stored, plan, "restored", named)
    return str(runs[0].info.run_id), stored


def _create(
    client: MlflowClient,
    storage: Any,
    stores: Stores,
    plan: Plan,
    trials: int,
    data_root: Path,
    named: Collection[str],
    bare: bool,
) -> Study:
    """Make a study; the run's id is written last, so a study without one was never finished being made."""
    earlier = find_parent_run(client, plan, named)
    plan = plan.with_settings(earlier[1].fixed_settings, named) if earlier else plan
    require_room(plan_params(plan))
    space = plan.space()
    experiment_id = find_or_create_experiment(client, stores, plan.experiment)
    schedule = optuna.create_study(study_name=plan.study, storage=storage, direction="minimize")
    kept = client.get_run(earlier[0]).data.tags.get(SAID_KEEP, ALL) if earlier else STANDARD_KEEP
    made = {PLAN: json.dumps(plan_params(plan)), EXPERIMENT_ID: experiment_id, DATA_ROOT: str(data_root), KEEP: kept}
    for name, value in {**made, TARGET_TRIALS: trials, **({BARE: True} if bare else {})}.items():
        schedule.set_user_attr(name, value)
    queue_architectures(schedule, space, () if bare else extremes(plan.grid()), forced="extreme")
    run_id = earlier[0] if earlier else make_parent_run(client, experiment_id, plan)
    schedule.set_user_attr(RUN_ID, run_id)
    return Study(
        plan=plan, schedule=schedule, client=client, experiment_id=experiment_id, run_id=run_id, home=stores.home
    )


def queue_architectures(
    schedule: optuna.Study, space: SearchSpace, architectures: Iterable[Architecture], *, forced: str
) -> None:
    """Queue a trial of each architecture with the usual training, marked with why it is forced."""
    for architecture in architectures:
        params = {**space.encode(architecture), **space.usual_training()}
        schedule.enqueue_trial(params, user_attrs={"forced": forced})


def make_parent_run(client: MlflowClient, experiment_id: str, plan: Plan) -> str:
    """Make the MLflow run of a study: its plan and space as params, its grid as an artifact."""
    space = plan.space()
    writer = RunWriter.create(client, experiment_id, plan.study, role=STUDY_ROLE, study=plan.study)
    params = {**plan_params(plan), **{f"space.{name}": str(value) for name, value in space.describe().items()}}
    writer.log({}, params=params)
    client.log_dict(writer.run_id, space.grid.to_dict(), "grid.json")
    return writer.run_id
