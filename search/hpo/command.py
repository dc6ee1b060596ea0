"""The main job: start, continue or extend a study, and close it with its results."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.exceptions import InputError
from search.hpo.launcher import Launcher
from search.study.make_plan import make_plan
from search.study.plan import DATA_DIRECTORY, Plan
from search.study.pruner import make_pruner
from search.study.recipe import as_the_study_has_it
from search.study.request import HpoRequest
from search.study.sampler import require_sampler
from search.study.stored_plan import stored_plan
from search.study.study import Study, open_or_create_study
from search.tracking.lease import WAIT, refuse_if_held, study_lease
from search.tracking.locks import require_free_name
from search.tracking.patience import WAITING
from search.tracking.stores import Stores, open_storage, open_tracking, prepare_home, resolve_stores
from search.workers.engines import connected, make_workforce, require_engine
from search.workers.progress import make_console
from search.workers.signals import Signals

if TYPE_CHECKING:
    from search.hpo.execute import Ending

TIMED_OUT = 124


def run_study(request: HpoRequest) -> int:
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
    launcher = Launcher.from_environment()
    if launcher is not None:
        launcher.require_no_secret("hpo", request.tracking_uri, request.storage)
    require_runnable(request)
    asked, stores = request, resolve_stores(request.tracking_uri, request.storage)
    if request.study:
        refuse_if_held(stores, request.study)
        stored = stored_plan(stores, request.study)
        if stored is None:
            require_free_name(stores, request.study)
        asked = as_the_study_has_it(request, stored) if stored else request
    plan, _ = make_plan(asked, root=Path(DATA_DIRECTORY).absolute())
    refuse_if_held(stores, plan.study)
    ending = work_on(open_stores(request), request, plan, launcher=launcher, launched=launcher is not None)
    if ending.complete:
        return 0
    return TIMED_OUT if ending.timed_out else 128 + (ending.signal or signal.SIGINT)


def require_runnable(request: HpoRequest) -> None:
    """Check what a request says of this command, not of its data.

    Raises
    ------
    InputError
        Naming the first rule that a value breaks.
    """
    if request.trials < 1:
        raise InputError(f"trials must be at least 1, got {request.trials}; 50 is a usual study")
    require_sampler(request.sampler)
    require_engine(request)
    make_pruner(request.pruner_name)


def open_stores(request: HpoRequest) -> Stores:
    """Resolve the request's stores, and make embedded ones that are not there."""
    stores = resolve_stores(request.tracking_uri, request.storage)
    prepare_home(stores)
    open_tracking(stores, migrate=True)
    open_storage(stores)
    return stores


def open_study(stores: Stores, request: HpoRequest, plan: Plan) -> Study:
    """Open or make the study of a plan with everything that the request says of it.

    Raises
    ------
    StoreError
        If it exists with another plan.
    """
    return open_or_create_study(
        stores,
        plan,
        trials=request.trials,
        data_root=Path(DATA_DIRECTORY).absolute(),
        sampler=request.sampler,
        pruner=request.pruner_name,
        keep=request.keep,
        named=request.named_settings,
    )


def work_on(
    stores: Stores, request: HpoRequest, plan: Plan, *, launcher: Launcher | None = None, launched: bool = False
) -> Ending:
    """Open or make the study of a plan, run what remains of it, and close it with its results.

    Parameters
    ----------
    stores, request, plan
        From :func:`open_stores`; what was asked, and what :func:`search.study.make_plan.make_plan` made of it.
    launcher : Launcher, optional
        Run that starts and ends with the study.
    launched : bool
        Whether ``mlflow run`` started this process.
    """
    from search.hpo.execute import work_on_study  # what trains is loaded only once nothing refuses the command

    WAITING.renew()
    with Signals() as signals, study_lease(stores, plan.study, wait=WAIT) as lease, connected(request, stores):
        workforce = make_workforce(request, stores, lease, launched=launched, timeout=request.timeout)
        study = open_study(stores, request, plan)
        ending = work_on_study(study, workforce, make_console(), signals, launcher=launcher)
    if ending.complete and request.finalists:
        from search.hpo.finalists import run_finalists

        return run_finalists(stores, request, study)
    return ending
