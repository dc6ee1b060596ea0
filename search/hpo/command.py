"""The main job: start, continue or extend a study, and close it with its results."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from model.spec.budget import DEFAULT_TOLERANCE
from model.spec.spec import NONE
from model.training.device import choose_device
from pipeline.exceptions import InputError
from search.hpo.execute import Ending, Workforce, work_on_study
from search.hpo.launcher import Launcher
from search.space.axes import Axes
from search.study.make_plan import make_plan
from search.study.plan import DATA_DIRECTORY, Plan
from search.study.pruner import make_pruner
from search.study.sampler import DEFAULT_SAMPLER, require_sampler
from search.study.study import open_or_create_study
from search.tracking.locks import study_lock
from search.tracking.stores import Stores, open_storage, open_tracking, prepare_home, resolve_stores
from search.workers.count import count_workers
from search.workers.progress import make_console
from search.workers.signals import Signals

if TYPE_CHECKING:
    from pipeline.datasets.dataset import DatasetVersion

TIMED_OUT = 124


@dataclass(frozen=True, kw_only=True)
class Request:
    """What the user asked of ``hpo``, parsed but not yet checked against data.

    Parameters
    ----------
    budget, horizon, threshold, source, ticker, train_tickers, tier, split, seed, max_epochs, patience, offset, study
        As in :func:`search.study.make_plan.make_plan`.
    trials : int
        Finished trials that make the study complete.
    workers : str
        ``auto`` or a number of processes.
    pruner : str
        As in :func:`search.study.pruner.make_pruner`.
    timeout : float or None
        Seconds after which no further epoch is started; None is no limit.
    tolerance, axes, instance_norm
        As in :func:`search.study.make_plan.make_plan`.
    sampler : str
        One of :data:`search.study.sampler.SAMPLERS`.
    tracking_uri, storage, device : str
        Empty for the default.
    """

    budget: str
    trials: int
    horizon: int
    threshold: float
    source: str
    ticker: str
    train_tickers: str
    tier: str
    split: str
    workers: str
    pruner: str
    timeout: float | None
    seed: int
    max_epochs: int
    patience: int
    offset: str
    study: str
    tracking_uri: str
    storage: str
    device: str
    tolerance: float = DEFAULT_TOLERANCE
    axes: Axes | None = None
    sampler: str = DEFAULT_SAMPLER
    instance_norm: str = NONE


def run_study(request: Request) -> int:
    """Run the study until its target is met.

    Returns
    -------
    int
        Exit code: 0 complete, 124 stopped by timeout, 128 + signal number if interrupted.

    Raises
    ------
    PatchscaleError
        If the input breaks a rule, before anything is made; or if trials keep failing.
    """
    require_runnable(request)
    launcher = Launcher.from_environment()
    plan, dataset = plan_study(request)
    ending = work_on(open_stores(request), request, plan, dataset, launcher=launcher, launched=launcher is not None)
    if ending.complete:
        return 0
    return TIMED_OUT if ending.timed_out else 128 + (ending.signal or signal.SIGINT)


def require_runnable(request: Request) -> None:
    """Check what a request says of this command, not of its data.

    Raises
    ------
    InputError
        Naming the first rule that a value breaks.
    """
    if request.trials < 1:
        raise InputError(f"trials must be at least 1, got {request.trials}; 50 is a usual study")
    require_sampler(request.sampler)
    count_workers(request.workers, str(choose_device(request.device).type))
    make_pruner(request.pruner)


def plan_study(request: Request) -> tuple[Plan, DatasetVersion]:
    """Plan of the study that is asked for: :func:`search.study.make_plan.make_plan`."""
    return make_plan(
        budget=request.budget,
        horizon=request.horizon,
        threshold=request.threshold,
        source=request.source,
        ticker=request.ticker,
        train_tickers=request.train_tickers,
        tier=request.tier,
        split=request.split,
        seed=request.seed,
        max_epochs=request.max_epochs,
        patience=request.patience,
        offset=request.offset,
        study=request.study,
        tolerance=request.tolerance,
        axes=request.axes,
        instance_norm=request.instance_norm,
        root=Path(DATA_DIRECTORY).absolute(),
    )


def open_stores(request: Request) -> Stores:
    """Resolve the request's stores, and make embedded ones that are not there."""
    stores = resolve_stores(request.tracking_uri, request.storage)
    prepare_home(stores)
    open_tracking(stores)
    open_storage(stores)
    return stores


def work_on(
    stores: Stores,
    request: Request,
    plan: Plan,
    dataset: DatasetVersion,
    *,
    launcher: Launcher | None = None,
    launched: bool = False,
) -> Ending:
    """Open or make the study of a plan, run what remains of it, and close it with its results.

    Parameters
    ----------
    stores, request, plan, dataset
        From :func:`open_stores`; what was asked, and what :func:`plan_study` made of it.
    launcher : Launcher, optional
        Run that starts and ends with the study.
    launched : bool
        Whether ``mlflow run`` started this process.
    """
    console, root = make_console(), Path(DATA_DIRECTORY).absolute()
    with Signals() as signals, study_lock(stores, plan.study) as lock:
        study = open_or_create_study(
            stores, plan, trials=request.trials, data_root=root, sampler=request.sampler, pruner=request.pruner
        )
        workforce = Workforce(
            workers=request.workers,
            device=request.device,
            lock=lock,
            launched=launched,
            timeout=request.timeout,
        )
        return work_on_study(stores, study, workforce, console, signals, launcher=launcher)
