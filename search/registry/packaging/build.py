"""Packaging of a version: members into one logged model, proved in a process of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from mlflow.entities import LoggedModelStatus

from model.serving.package_info import PackageFacts, package_facts
from model.serving.packaged import write_package
from pipeline.datasets.raw_bars import raw_bars
from search.registry.packaging.best_trial import BestTrial
from search.registry.packaging.fresh_process import check_in_fresh_process
from search.registry.packaging.members import Members
from search.registry.packaging.mlflow_model import log_package

if TYPE_CHECKING:
    from search.study.study import Study


@dataclass(frozen=True, kw_only=True, slots=True)
class Packaged:
    """A logged model.

    Parameters
    ----------
    source, model_id : str
        Where the logged model lies, and its id.
    difference : float
        Largest difference of a probability of it, in a fresh process, from that of its weights before packaging.
    trained_through : str
        Last session that a training label read, ISO date.
    data_last : str
        Last session of the dataset version, ISO date.
    """

    source: str
    model_id: str
    difference: float
    trained_through: str
    data_last: str


def write_members(study: Study, best: BestTrial, members: Members, directory: Path) -> PackageFacts:
    """Write the members as a package into a new directory; what it says of itself.

    Raises
    ------
    InputError
        If their tier never forgets where its series started.
    """
    dataset, _ = study.load_data()
    rows = members.train_rows[members.train_rows < len(dataset.dates)]
    specs = [spec for spec, _ in members.models]
    epochs = [best.n_epochs] * len(specs)
    facts = package_facts(specs, dataset, rows, n_epochs=epochs, study=study.plan.study)
    write_package(directory, members=members.models, facts=facts)
    return facts


def package_members(study: Study, best: BestTrial, members: Members, run_id: str) -> Packaged:
    """Log the members as one model of a run, and compare it with what they said before.

    Raises
    ------
    RecordError
        If the logged model does not say in a fresh process what its weights say.
    """
    dataset, _ = study.load_data()
    with TemporaryDirectory() as directory:
        made = Path(directory) / "package"
        facts = write_members(study, best, members, made)
        uri = log_package(study.client, run_id, made)
    bars = raw_bars(study.data_root, dataset)
    model_id = uri.rpartition("/")[2]
    try:
        difference = check_in_fresh_process(uri, bars, members.expected, study.client.tracking_uri)
    except BaseException:
        study.client.finalize_logged_model(model_id, LoggedModelStatus.FAILED)  # the Models tab offers it no more
        raise
    return Packaged(
        source=study.client.get_logged_model(model_id).artifact_location,
        model_id=model_id,
        difference=difference,
        trained_through=facts.trained_through,
        data_last=str(dataset.dates[-1].date()),
    )
