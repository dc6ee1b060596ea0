"""The record in a notebook: five functions, from the studies that there are to a model's answer.

``from search import api``; a store is the working directory's, ``MLFLOW_TRACKING_URI``'s, or the one that is named, as
for the commands.  Nothing here writes into it.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pandas as pd

from pipeline.exceptions import InputError
from search.tracking.stores import Stores, resolve_stores

if TYPE_CHECKING:
    from model.serving.packaged import PackagedModel
    from search.study.study import Study

STUDY_COLUMNS = (
    "study", "state", "finished", "target", "budget", "predicts", "horizon", "best_architecture", "best_loss",
    "base_rate_loss", "best_skill", "best_roc_auc", "run_id",
)  # fmt: skip
"""Columns that :func:`studies` has first, whatever the store holds."""


def studies(*, tracking_uri: str = "", storage: str = "") -> pd.DataFrame:
    """List the studies of a store, as ``patchscale status`` does.

    Parameters
    ----------
    tracking_uri, storage : str
        MLflow's store and Optuna's, as the commands' options of these names; empty is the usual one.

    Returns
    -------
    DataFrame
        A row a study: name, state, finished trials and their target, budget, question, best architecture, its
        validation loss beside that of the best constant, and run id; then what else is known of it.

    Examples
    --------
    >>> from search import api
    >>> api.studies()[["state", "finished", "target", "budget", "horizon", "best_architecture"]]
          state  finished  target budget  horizon best_architecture
    0  complete         3       3     5K        1     d8-L3-h1-ff32
    """
    from search.audit.status import study_states

    table = pd.DataFrame(study_states(_stores(tracking_uri, storage)))
    return table.reindex(columns=list(dict.fromkeys([*STUDY_COLUMNS, *table.columns])))


def trials(study: str, *, tracking_uri: str = "", storage: str = "") -> pd.DataFrame:
    """List the trials of a study, the lowest validation loss first, unfinished ones last.

    Parameters
    ----------
    study : str
        Its name.
    tracking_uri, storage : str
        As in :func:`studies`.

    Returns
    -------
    DataFrame
        A row a trial: ``number``, ``state``, its result (``loss``, ``base_rate_loss``, ``skill``, ``roc_auc``, …), each
        searched axis and setting, whether it was forced, ``run_id``.

    Raises
    ------
    PatchscaleError
        If there is no such study; the message names the nearest.

    Examples
    --------
    >>> from search import api
    >>> study = api.studies()["study"][0]
    >>> table = api.trials(study)
    >>> shown = ["number", "state", "label", "n_params", "epochs", "forced"]
    >>> table.sort_values("number", ignore_index=True)[shown].head(4)
       number     state          label  n_params  epochs   forced
    0       0  finished  d8-L3-h1-ff16      4001       1  extreme
    1       1  finished  d8-L3-h1-ff32      4817       1  extreme
    2       2  finished  d8-L2-h1-ff32      3945       1  extreme
    3       3   waiting            NaN      <NA>    <NA>  extreme
    >>> bool(table["loss"].dropna().is_monotonic_increasing)
    True
    """
    from search.results.trials_table import trials_table

    return trials_table(_study(study, tracking_uri, storage))


def forecasts(study: str, trial: int | None = None, *, tracking_uri: str = "", storage: str = "") -> pd.DataFrame:
    """Read what a finished trial said of each validation day.

    Parameters
    ----------
    study : str
        Its name, or the run id of a trial, or its first digits.
    trial : int, optional
        Number of the trial; the best one if not given.
    tracking_uri, storage : str
        As in :func:`studies`.

    Returns
    -------
    DataFrame
        A row a day: ``date``, the outcome ``y`` (0 or 1) and the probability ``p``.

    Raises
    ------
    PatchscaleError
        If there is no such trial, it did not finish, or its predictions are gone.

    Examples
    --------
    >>> from search import api
    >>> study = api.studies()["study"][0]
    >>> days = api.forecasts(study, trial=1)
    >>> len(days), list(days), int(days["y"].sum())
    (503, ['date', 'y', 'p'], 91)
    >>> recorded = api.trials(study).set_index("number")["loss"][1]
    >>> from model.metrics import evaluate
    >>> bool(abs(evaluate(days["y"].to_numpy(), days["p"].to_numpy()).loss - recorded) < 1e-9)
    True
    """
    from search.registry.packaging.best_trial import choose_trial, validation_predictions

    found, number = _trial(study, trial, tracking_uri, storage)
    return validation_predictions(found, choose_trial(found, number))


def load(name: str, trial: int | None = None, *, tracking_uri: str = "", storage: str = "") -> PackagedModel:
    """Load a model that answers from raw bars: a trial's own weights, or a registered version.

    Parameters
    ----------
    name : str
        A study's name or a trial's run id; or a version, as ``patchscale-SPY-h1/3`` or ``patchscale-SPY-h1@champion``.
    trial : int, optional
        Number of the trial; the study's best one if not given.
    tracking_uri, storage : str
        As in :func:`studies`.

    Returns
    -------
    PackagedModel
        To give to :func:`ask`; ``model.spec`` says what determined it, ``model.members`` are the networks,
        ``model.columns`` and ``model.required_days`` what bars it needs.

    Raises
    ------
    PatchscaleError
        If there is no such model, its weights were let go (``--keep``), or a version's features are not this code's.

    Examples
    --------
    >>> from search import api
    >>> model = api.load(api.studies()["study"][0], trial=1)
    >>> model.columns, model.required_days
    (('date', 'open', 'high', 'low', 'close', 'volume'), 1560)
    """
    if "/" in name or "@" in name:
        if trial is not None:
            raise InputError(f"a version has no trials to choose from, got {name} and trial {trial}; leave one out")
        return _version(name, _stores(tracking_uri, storage))
    from model.serving.packaged import PackagedModel
    from search.registry.packaging.best_trial import choose_trial
    from search.registry.packaging.build import write_members
    from search.registry.packaging.members import trial_members

    found, number = _trial(name, trial, tracking_uri, storage)
    best = choose_trial(found, number)
    with TemporaryDirectory() as directory:
        write_members(found, best, trial_members(found, best), Path(directory) / "package")
        return PackagedModel.load(Path(directory) / "package")


def ask(
    model: PackagedModel,
    bars: pd.DataFrame | None = None,
    *,
    days: str = "last",
    horizon: int | None = None,
    threshold: float | None = None,
) -> pd.DataFrame:
    """Ask a model for the probability of a rise.

    Parameters
    ----------
    model : PackagedModel
        Of :func:`load`.
    bars : DataFrame, optional
        Raw daily bars, oldest first: ``model.columns``, at least ``model.required_days`` sessions; if not given, those
        of the model's own dataset version, from the ``data/`` of the working directory.
    days : {"last", "all"}
        The last session, or every session with enough history before it.
    horizon, threshold : optional
        What a distribution is asked: a rise of so much (0.02 is 2 %) within so many sessions; the study's own question
        if not given.

    Returns
    -------
    DataFrame
        A row a day: ``date``, ``probability``, ``horizon``, ``threshold``.

    Raises
    ------
    PatchscaleError
        If bars break a rule, are too few or another ticker's, or the model can't answer the question.

    Examples
    --------
    >>> from search import api
    >>> model = api.load(api.studies()["study"][0], trial=1)
    >>> answer = api.ask(model)
    >>> answer.drop(columns="probability")
            date  horizon  threshold
    0 2018-12-31        1       0.01
    >>> 0 < float(answer["probability"][0]) < 1
    True
    """
    return model.predict(_bars(model) if bars is None else bars, days=days, horizon=horizon, threshold=threshold)


def _bars(model: PackagedModel) -> pd.DataFrame:
    """Bars that a model's dataset version was made of."""
    from pipeline.datasets.dataset import load_dataset
    from pipeline.datasets.raw_bars import raw_bars
    from search.study.plan import DATA_DIRECTORY

    root = Path(DATA_DIRECTORY).absolute()
    return raw_bars(root, load_dataset(root, model.facts.dataset))


def _version(name: str, stores: Stores) -> PackagedModel:
    """Load a registered version with the code that runs here, which its features must be of."""
    from model.serving.packaged import PackagedModel
    from search.registry.packaging.ask_version import fetched_version
    from search.registry.versions.versions import find_version
    from search.tracking.stores import open_tracking

    version = find_version(open_tracking(stores), name)
    with fetched_version(stores, version) as directory:
        return PackagedModel.load(directory / "artifacts" / "package")


def _stores(tracking_uri: str, storage: str) -> Stores:
    return resolve_stores(tracking_uri, storage)


def _study(name: str, tracking_uri: str, storage: str) -> Study:
    from search.study.study import load_study

    return load_study(_stores(tracking_uri, storage), name)


def _trial(name: str, number: int | None, tracking_uri: str, storage: str) -> tuple[Study, int | None]:
    from search.results.named_trial import find_trial

    return find_trial(_stores(tracking_uri, storage), name, number)
