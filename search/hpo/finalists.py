"""Finalists: the trials that can't be told from the best, trained again with further seeds when a study is complete.

Each further seed is a study of its own, ``NAME-seed1`` and so on, whose plan differs in nothing but seed and name: its
trials run, stop, go on and are recorded like any others.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from rich.table import Table

from pipeline.exceptions import InputError
from search.evidence.bootstrap import block_length
from search.evidence.finalists import choose_finalists
from search.evidence.forecasts import load_forecasts
from search.evidence.retrained import FURTHER_SEEDS, Retrained, further_plan, load_retrained
from search.hpo.execute import Ending, work_on_study
from search.study.plan import Plan
from search.study.reconcile import FIXED_PARAMS
from search.study.request import HpoRequest
from search.study.study import TARGET_TRIALS, Study, open_or_create_study
from search.tracking.lease import WAIT, study_lease
from search.tracking.patience import WAITING
from search.tracking.stores import Stores
from search.tracking.tags import TRIAL_ROLE
from search.workers.engines import connected, make_workforce
from search.workers.progress import make_console
from search.workers.signals import Signals

if TYPE_CHECKING:
    from rich.console import Console

FINALISTS, FORCED = "finalists", "finalist"
"""Attribute of the schedule that holds the chosen trials' numbers, and why those trials are queued."""


def run_finalists(stores: Stores, request: HpoRequest, study: Study) -> Ending:
    """Choose a complete study's finalists, train them again with further seeds, and say which wins.

    The choice is kept in the schedule, so that the same command goes on with the same ones; more trials choose anew.

    Raises
    ------
    PatchscaleError
        If the trials' forecasts are not of the same days, or too few; or if trials keep failing.
    """
    console = make_console()
    numbers = finalists_of(study, request.finalists)
    further_seeds = FURTHER_SEEDS * study.plan.n_seeds
    console.print(f"finalists: trials {', '.join(map(str, numbers))}; {further_seeds} further seeds each", markup=False)
    chosen = [trial.params for trial in study.finished() if trial.number in numbers]
    for further in range(1, FURTHER_SEEDS + 1):
        ending = _train_again(stores, request, study, further_plan(study.plan, further), chosen)
        if not ending.complete:
            return ending
    found = load_retrained(study)
    if found is not None:
        for line in _in_words(study, found, console):
            console.print(line, markup=False)
    return ending


def finalists_of(study: Study, most: int) -> list[int]:
    """Numbers of a study's finalists, the lowest loss first; chosen once for the trials that are finished.

    Raises
    ------
    InputError
        If no trial's forecasts can be compared.
    """
    asked = {"most": most, "of": len(study.finished())}
    held: dict[str, Any] = json.loads(study.schedule.user_attrs.get(FINALISTS, "{}"))
    if {name: held.get(name) for name in asked} == asked:
        return list(map(int, held["numbers"]))
    trials = load_forecasts(study).of_role(TRIAL_ROLE)
    if not trials.names:
        raise InputError(f"finalists must be trials of study {study.plan.study} that are finished and valid, got none")
    rows = choose_finalists(trials.losses_MD, most, block=block_length(trials.y_D, trials.horizon))
    numbers = [int(trials.names[row].split()[1]) for row in rows]
    study.schedule.set_user_attr(FINALISTS, json.dumps({**asked, "numbers": numbers}))
    return numbers


def _train_again(
    stores: Stores, request: HpoRequest, of: Study, plan: Plan, chosen: Sequence[dict[str, Any]]
) -> Ending:
    """Run what is not finished yet of the study of one further seed."""
    WAITING.renew()
    with Signals() as signals, study_lease(stores, plan.study, wait=WAIT) as lease, connected(request, stores):
        workforce = make_workforce(request, stores, lease, timeout=request.timeout)
        study = open_or_create_study(
            stores, plan, trials=len(chosen), data_root=of.data_root, keep=request.keep, bare=True
        )
        queue_again(study, chosen)
        return work_on_study(study, workforce, make_console(), signals)


def queue_again(study: Study, chosen: Sequence[dict[str, Any]]) -> None:
    """Queue settings that are not in a study of finalists yet; its target is all that ever were."""
    trials = study.schedule.get_trials(deepcopy=False)
    known = [{**trial.system_attrs.get(FIXED_PARAMS, {}), **trial.params} for trial in trials]
    for params in chosen:
        if params not in known:
            study.schedule.enqueue_trial(params, user_attrs={"forced": FORCED})
            known.append(params)
    distinct = {json.dumps(params, sort_keys=True) for params in known}
    study.schedule.set_user_attr(TARGET_TRIALS, len(distinct))


def _in_words(study: Study, found: Retrained, console: Console) -> Iterator[str]:
    table = Table(title=f"{study.plan.study}: finalists, log loss on the days that chose them")
    for name in ("finalist", "together", *found.titles):
        table.add_column(name, justify="left" if name == "finalist" else "right", no_wrap=True)
    for row in found.order:
        figures = (found.losses_M[row], *found.losses_SM[:, row])
        table.add_row(found.names[row], *(f"{each:.4f}" for each in figures))
    console.print(table)
    yield (
        f"the claim is made on {found.names[found.order[0]]}, the mean of {found.n_models} seeds; patchscale report "
        f"{study.plan.study} holds it against the best baseline"
    )
