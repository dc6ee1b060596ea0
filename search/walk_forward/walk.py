"""One walk-forward, from its data to its run: every job that is not kept yet is done, then all are pooled."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial

import numpy as np
import pandas as pd
import torch

from model.metrics import evaluate
from model.training.device import choose_device
from model.windows import Windows, make_windows
from pipeline.datasets.dataset import DatasetVersion
from pipeline.datasets.mlflow_dataset import MarketDataset
from pipeline.splits.splits import Split
from search.folds.folds import YearFold, year_folds
from search.folds.forecast import BaselineForecaster, Forecaster, Job, Outcome, SpecForecaster
from search.study.study import Study
from search.tracking.data_place import data_address
from search.walk_forward.progress import WalkProgress
from search.walk_forward.runs import OVERLAP, WalkForwardRun, walk_forward_params
from search.walk_forward.subject import Subject
from search.walk_forward.workers import JobPool, Results, run_here
from search.workers.engines import LOCAL
from search.workers.pool import Workforce
from search.workers.signals import Signals

Do = Callable[[Iterable[Job]], Results]
BEFORE_CHOICE = "unseen"
"""Prefix of metrics over the years that do not overlap the days on which the spec was chosen."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WalkForwardData:
    """What a walk-forward reads.

    Parameters
    ----------
    datasets : sequence of DatasetVersion
        The forecast ticker's, then those that are trained on beside it.
    windows : Windows
        Of them, the test split sealed.
    folds : sequence of YearFold
        One a test year.
    """

    datasets: Sequence[DatasetVersion]
    windows: Windows
    folds: Sequence[YearFold]

    @property
    def years(self) -> tuple[int, int]:
        """First and last test year."""
        return self.folds[0].year, self.folds[-1].year


def load_walk_forward_data(
    study: Study,
    subject: Subject,
    first_year: int | None,
    last_year: int | None,
    *,
    device: str = "cpu",
) -> WalkForwardData:
    """Load a study's data and make the folds.

    Raises
    ------
    SealedError
        If a year reaches into the sealed test split.
    InputError
        If the years leave too little history, or a dataset version is not there.
    """
    plan = study.plan
    own, pooled = study.load_data()
    datasets = (own, *pooled)
    windows = make_windows(
        own,
        plan.target,
        plan.split,
        subject.context_length(study),
        device=choose_device(device),
        pooled=pooled,
        horizons=subject.spec.architecture.ahead if subject.spec else (),
    )
    folds = year_folds(
        windows, datasets, plan.split, horizon=plan.target.horizon, first_year=first_year, last_year=last_year
    )
    return WalkForwardData(datasets=datasets, windows=windows, folds=folds)


def make_forecaster(study: Study, subject: Subject, data: WalkForwardData) -> Forecaster:
    """Make what forecasts for a subject."""
    if subject.spec is not None:
        return SpecForecaster(subject.spec, data.windows, data.folds)
    assert subject.baseline is not None
    horizon = study.plan.target.horizon
    return BaselineForecaster(subject.baseline, data.windows, data.folds, data.datasets, horizon=horizon)


def overlap_years(split: Split, years: Sequence[int]) -> list[int]:
    """Test years that hold validation days, on which the spec was chosen."""
    return [year for year in years if split.validation_start.year <= year <= split.validation_end.year]


def walk_forward(
    study: Study,
    subject: Subject,
    data: WalkForwardData,
    n_seeds: int,
    workforce: Workforce,
    progress: WalkProgress,
    signals: Signals,
) -> str:
    """Do what is not kept of a walk-forward yet, and conclude its run.

    Returns
    -------
    str
        Run id, of a run that is FINISHED.

    Raises
    ------
    PatchscaleError
        If a job fails; the run is FAILED then, and keeps what was finished.
    """
    params, seeds = walk_forward_params(study, subject, data.years, n_seeds), subject.seeds(n_seeds)
    run = WalkForwardRun.open(study, subject, params, _inputs(study, data))
    try:
        with _doing(study, subject, data, workforce) as do:
            outcomes = _do_all(run, subject, data, seeds, do, progress)
        days, years = pool(data, seeds, outcomes)
        overlap = overlap_years(study.plan.split, [fold.year for fold in data.folds])
        study.client.set_tag(run.run_id, OVERLAP, ", ".join(map(str, overlap)) or "none")
        run.conclude(days, years, _figures(subject, days, overlap, outcomes))
    except BaseException as error:
        signals.only_note()
        run.writer.stop(error)
        raise
    return run.run_id


def pool(
    data: WalkForwardData, seeds: Sequence[int], outcomes: Mapping[str, Outcome]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Put the folds together: a row a day, and a row a year.

    Returns
    -------
    days : DataFrame
        Columns date, year, y, p (mean of the seeds' probabilities), and ``p_seed0`` and so on.
    years : DataFrame
        Columns year, days, samples trained on, epochs, and the year's evaluation.
    """
    parts, years = [], []
    for fold in data.folds:
        held = [outcomes[Job(year=fold.year, seed=seed, n_epochs=1).name] for seed in seeds]
        p_SD = np.array([each.p for each in held])
        y_D = data.windows.outcomes(fold.test)
        named = {f"p_seed{seed}": p_D for seed, p_D in zip(seeds, p_SD, strict=True)}
        dates = data.datasets[0].dates[fold.test]
        parts.append(pd.DataFrame({"date": dates, "year": fold.year, "y": y_D, "p": p_SD.mean(axis=0), **named}))
        found = {name: value for name, value in asdict(evaluate(y_D, p_SD.mean(axis=0))).items() if name in _BY_YEAR}
        trained = {"n_train": len(fold.train), "n_epochs": held[0].n_epochs}
        years.append({"year": fold.year, "n_days": len(fold.test), **trained, **found})
    return pd.concat(parts, ignore_index=True), pd.DataFrame(years)


_BY_YEAR = ("loss", "base_rate_loss", "skill", "roc_auc", "brier", "base_rate")


@contextmanager
def _doing(study: Study, subject: Subject, data: WalkForwardData, workforce: Workforce) -> Iterator[Do]:
    """Give what does jobs: this process, or worker processes; a baseline's take seconds and are done here."""
    if subject.spec is None or (workforce.n_workers == 1 and workforce.engine == LOCAL):
        if data.windows.x_DF.device.type == "cpu":
            torch.set_num_threads(1)
        yield partial(run_here, make_forecaster(study, subject, data))
        return
    with JobPool(study.plan.study, workforce, subject, data.years) as workers:
        yield workers.run


def choosing(subject: Subject, years: Iterable[int], seed: int) -> list[Job]:
    """Jobs that come before any forecast: a year's number of epochs.

    A baseline chooses inside its training rows, and a spec without patience has its number.
    """
    if subject.spec is None or not subject.spec.training.patience:
        return []
    return [Job(year=year, seed=seed) for year in years]


def _do_all(
    run: WalkForwardRun, subject: Subject, data: WalkForwardData, seeds: Sequence[int], do: Do, progress: WalkProgress
) -> dict[str, Outcome]:
    """Choose the numbers of epochs, then forecast with them; what is kept is not done again."""
    outcomes = run.kept()
    n_train = {fold.year: len(fold.train) for fold in data.folds}
    most = 1 if subject.spec is None else subject.spec.training.max_epochs
    first = choosing(subject, n_train, seeds[0])
    progress.begin(
        subject.name,
        work={job.name: n_train[job.year] * most for job in first}
        | {Job(year=y, seed=s, n_epochs=1).name: n * most for y, n in n_train.items() for s in seeds},
        kept=outcomes,
    )

    def do_missing(jobs: Sequence[Job]) -> None:
        for job, outcome in do([job for job in jobs if job.name not in outcomes]):
            run.keep(job, outcome)
            outcomes[job.name] = outcome
            progress.done(job, outcome)

    do_missing(first)
    epochs = {job.year: outcomes[job.name].n_epochs for job in first}
    do_missing([Job(year=year, seed=seed, n_epochs=epochs.get(year, most)) for year in n_train for seed in seeds])
    return outcomes


def _inputs(study: Study, data: WalkForwardData) -> list[tuple[str, MarketDataset]]:
    """MLflow's entities of what the last year's models train on, and of the days that are forecast."""
    root, entities, start = study.data_root, [], 0
    address = data_address(study.client, study.run_id)
    for number, each in enumerate(data.datasets):
        stop = start + len(each.dates)
        labels = data.windows.y_host_D[start:stop].astype(np.float64)
        train = data.folds[-1].train
        rows = train[(train >= start) & (train < stop)] - start
        if len(rows):
            entities.append(
                ("train", MarketDataset(each, root, rows, labels, part="walkforward-train", address=address))
            )
        if not number:
            tested = np.concatenate([fold.test for fold in data.folds])
            entities.append(
                ("evaluation", MarketDataset(each, root, tested, labels, part="walkforward", address=address))
            )
        start = stop
    return entities


def _figures(
    subject: Subject, days: pd.DataFrame, overlap: Sequence[int], outcomes: Mapping[str, Outcome]
) -> dict[str, float]:
    """Metrics beside the pooled evaluation: of the years that the choice did not see, and what it cost."""
    figures = {"seconds": sum(outcome.seconds for outcome in outcomes.values())}
    if subject.spec is not None:
        figures["hp/n_params"] = float(subject.spec.n_params)
    left = days[~days["year"].isin(overlap)]
    if len(left):
        found = asdict(evaluate(left["y"].to_numpy(), left["p"].to_numpy()))
        figures |= {f"{BEFORE_CHOICE}/{name}": float(found[name]) for name in (*_BY_YEAR, "n_days")}
    return figures
