"""The dry run of a campaign: every study's estimate, as a table and as JSON; no store is touched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from rich.filesize import decimal
from rich.table import Table

from model.spec.choices import NONE
from model.training.device import choose_device
from search.hpo.campaign import plan_campaign
from search.hpo.chosen_days import plan_shows
from search.hpo.disk import disk_of
from search.hpo.estimate import (
    GIB,
    Estimate,
    Survey,
    does_not_fit,
    estimate,
    pruned_a_trial,
    start_seconds,
    survey,
    windows_of,
)
from search.study.plan import DATA_DIRECTORY
from search.study.request import AUTO, WILCOXON, HpoRequest
from search.study.study import ALL, KEEP, STANDARD_KEEP, finished_trials
from search.study.study_names import study_names
from search.study.values import duration_text
from search.tracking.database import database_of
from search.tracking.stores import Stores, open_storage, resolve_stores
from search.workers.count import count_workers


def estimate_campaign(
    request: HpoRequest,
    budgets: Sequence[str],
    horizons: Sequence[int],
    report: Callable[[str], None] = lambda line: None,
) -> list[Estimate]:
    """Estimate every study of a matrix; each budget is measured once.

    Parameters
    ----------
    request, budgets, horizons
        As in :func:`search.hpo.campaign.plan_campaign`.
    report : callable, optional
        Told what is being measured.

    Raises
    ------
    InputError
        Naming the first rule that a value breaks.
    """
    cells = plan_campaign(request, budgets, horizons)
    device, root = choose_device(request.device), Path(DATA_DIRECTORY).absolute()
    workers = count_workers(request.workers, device.type)
    surveys: dict[str, Survey] = {}
    stores = resolve_stores(request.tracking_uri, request.storage)
    there = existing_studies(stores)
    report("starting a process as a worker is started")
    start = start_seconds()
    estimates = []
    for cell in cells:
        plan = cell.plan
        windows = windows_of(plan, cell.dataset, root, device)
        if plan.budget not in surveys:
            surveys[plan.budget] = survey(plan, windows, report)
        found = surveys[plan.budget]
        finished, kept = there.get(plan.study, (0, STANDARD_KEEP))
        keep = kept if request.keep == AUTO else request.keep
        asked = {"trials": request.trials, "workers": workers, "finished": finished}
        pruned = request.pruner_name == WILCOXON
        estimated = estimate(plan, found, windows=windows, start_seconds=start, pruned=pruned, **asked)
        disk = disk_of(
            plan,
            root=root,
            trials=max(request.trials, finished),
            left=estimated.trials,
            workers=workers,
            keep=None if keep == ALL else int(keep),
            served=stores.tracking_database is None,
        )
        rows = windows.rows.validation
        shown = plan_shows(plan, cell.dataset.dates, len(rows), float(windows.outcomes(rows).mean()))
        estimates.append(replace(estimated, disk=disk, shows=shown))
    return estimates


def existing_studies(stores: Stores) -> dict[str, tuple[int, str]]:
    """Finished trials by study, and how many keep their weights, of a schedule that exists; nothing is made."""
    database = database_of(stores.storage_uri)
    if database is not None and not database.exists():
        return {}
    import optuna

    storage = open_storage(stores)
    held = [optuna.load_study(study_name=name, storage=storage) for name in study_names(storage)]
    return {each.study_name: (len(finished_trials(each)), each.user_attrs.get(KEEP, ALL)) for each in held}


def estimates_table(estimates: Sequence[Estimate]) -> Table:
    """One row a study."""
    table = Table(title="Campaign, dry run: nothing was trained, no store was written")
    for name in ("study", "grid", "parameters", "memory", "seconds a step", "trials left", "disk", "at most"):
        table.add_column(name, no_wrap=name not in ("study", "seconds a step"), overflow="fold")
    for each in estimates:
        low, high = each.plan.grid().limits()["n_params"]
        table.add_row(
            each.plan.study,
            str(len(each.plan.grid().architectures)),
            f"{_short(low)} to {_short(high)}",
            f"{each.survey.memory_bytes / GIB:.2f} GiB",
            _step_text(each.survey),
            f"{each.trials} of {each.trials + each.finished}" if each.trials else "complete",
            "unknown" if each.disk is None else decimal(each.disk.total),
            "unknown" if each.seconds is None else duration_text(each.seconds),
        )
    return table


def notes(estimates: Sequence[Estimate]) -> list[str]:
    """Say what the figures mean, and what does not fit."""
    first, on_top = estimates[0], sum(each.on_top for each in estimates)
    lines = []
    for each in {e.plan.budget: e for e in estimates}.values():
        found, n = each.survey, len(each.plan.grid().architectures)
        if does_not_fit(found):
            lines.append(
                f"{each.plan.budget}: {n - found.n_fitting} of {n} architectures have not enough memory; the largest "
                f"{does_not_fit(found)}"
            )
        elif first.workers > 1 and first.workers * found.memory_bytes > found.free_bytes:
            lines.append(
                f"{each.plan.budget}: {first.workers} of the largest trials at a time need "
                f"{first.workers * found.memory_bytes / GIB:.1f} GiB, {found.free_bytes / GIB:.1f} GiB free; "
                "batches are then computed in smaller parts, or take --workers 1"
            )
    lines += [f"disk of {each.plan.study}: {each.disk.text()}; records come on top" for each in estimates if each.disk]
    lines += dict.fromkeys(f"horizon {each.plan.target.horizon}: {each.shows}" for each in estimates if each.shows)
    complete = sum(not each.trials for each in estimates)
    timed = [each.seconds for each in estimates if each.seconds is not None]
    return [
        *lines,
        f"time is trials left x {_parts_text(first)}{first.plan.max_epochs} epochs x ({first.steps_per_epoch} steps "
        f"and a validation pass), on {first.at_once} worker(s) of an otherwise idle machine, and on top of it "
        f"{duration_text(on_top)} for starting processes, as measured here, and for records and checkpoints",
        _bound_text(first) + ("" if first.plan.offset == NONE else "; fitting of offsets is not in it"),
        *([f"{complete} of {len(estimates)} studies are complete and not run again"] if complete else []),
        f"together at most {duration_text(sum(timed))} for {len(timed) - complete} studies",
    ]


def _parts_text(each: Estimate) -> str:
    plan = each.plan
    counted = ((plan.n_folds, "folds"), (plan.n_seeds if plan.n_seeds > 1 else 0, "seeds"))
    return "".join(f"{number} {what} x " for number, what in counted if number)


def _bound_text(each: Estimate) -> str:
    """Say what makes it too long or too short: a trial of folds trains all its epochs, unless it is pruned."""
    if each.plan.n_folds:
        return (
            "trials that are pruned between folds do not count; what was trained of them is in it where they are, "
            f"{pruned_a_trial(each.plan):g} for each that is finished and no extreme, as in measured studies"
        )
    return "it is an upper bound of that, since patience and pruning end most trials sooner"


def as_json(estimates: Sequence[Estimate]) -> dict[str, Any]:
    """Return the form that ``patchscale campaign --dry-run --json`` prints."""
    return {"studies": [_row(each) for each in estimates], "notes": notes(estimates)}


def _short(n: int) -> str:
    for unit, size in (("B", 10**9), ("M", 10**6)):
        if n >= size:
            return f"{n / size:.2f}{unit}"
    return f"{n:,}"


def _step_text(found: Survey) -> str:
    if not found.measured:
        return does_not_fit(found).split(" (")[0]
    times = [m.step_seconds for m in found.measured]
    digits = 3 if max(times) < 1 else 1
    extrapolated = " extrapolated" if any(m.extrapolated for m in found.measured) else ""
    return f"{min(times):.{digits}f} to {max(times):.{digits}f}{extrapolated}"


def _row(each: Estimate) -> dict[str, Any]:
    found, plan = each.survey, each.plan
    return {
        "study": plan.study,
        "budget": plan.budget,
        "horizon": plan.target.horizon,
        "architectures": len(each.plan.grid().architectures),
        "architectures_that_fit": found.n_fitting,
        "n_params": each.plan.grid().limits()["n_params"],
        "memory_bytes": found.memory_bytes,
        "free_bytes": found.free_bytes,
        "micro_batch": found.micro_batch,
        "does_not_fit": does_not_fit(found) or None,
        "trials": each.trials + each.finished,
        "finished": each.finished,
        "max_epochs": plan.max_epochs,
        "n_folds": plan.n_folds,
        "n_seeds": plan.n_seeds,
        "workers": each.workers,
        "at_once": each.at_once,
        "steps_per_epoch": each.steps_per_epoch,
        "seconds_at_most": each.seconds,
        "seconds_on_top": each.on_top,
        "days_show": each.shows or None,
        "disk_bytes": each.disk and {**asdict(each.disk), "total": each.disk.total},
        "measured": [
            {**asdict(m), "architecture": m.architecture.label, "extrapolated": m.extrapolated} for m in found.measured
        ],
    }
