"""The dry run of a campaign: every study's estimate, as a table and as JSON; no store is touched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.table import Table

from model.training.device import choose_device
from search.hpo.campaign import plan_campaign
from search.hpo.estimate import GIB, Estimate, Survey, does_not_fit, estimate, survey, windows_of
from search.study.plan import DATA_DIRECTORY
from search.study.request import HpoRequest
from search.workers.count import count_workers
from search.workers.progress import duration_text


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
    device = choose_device(request.device)
    workers = count_workers(request.workers, device.type)
    surveys: dict[str, Survey] = {}
    estimates = []
    for cell in cells:
        plan = cell.plan
        windows = windows_of(plan, cell.dataset, Path(DATA_DIRECTORY).absolute(), device)
        if plan.budget not in surveys:
            surveys[plan.budget] = survey(plan, windows, report)
        found = surveys[plan.budget]
        estimates.append(estimate(plan, found, trials=request.trials, workers=workers, windows=windows))
    return estimates


def estimates_table(estimates: Sequence[Estimate]) -> Table:
    """One row a study."""
    table = Table(title="Campaign, dry run: nothing was trained, no store was written")
    for name in ("study", "grid", "parameters", "memory", "seconds a step", "at most"):
        table.add_column(name, no_wrap=name not in ("study", "seconds a step"), overflow="fold")
    for each in estimates:
        low, high = each.plan.grid().limits()["n_params"]
        table.add_row(
            each.plan.study,
            str(len(each.plan.grid().architectures)),
            f"{_short(low)} to {_short(high)}",
            f"{each.survey.memory_bytes / GIB:.2f} GiB",
            _step_text(each.survey),
            "unknown" if each.seconds is None else duration_text(each.seconds),
        )
    return table


def notes(estimates: Sequence[Estimate]) -> list[str]:
    """Say what the figures mean, and what does not fit."""
    first = estimates[0]
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
    timed = [each.seconds for each in estimates if each.seconds is not None]
    return [
        *lines,
        f"time is {first.trials} trials x {first.plan.max_epochs} epochs x ({first.steps_per_epoch} steps and a "
        f"validation pass), on {first.at_once} worker(s) of an otherwise idle machine",
        "it is an upper bound, since patience and pruning end most trials sooner",
        "start of workers, fitting of offsets, logging and checkpoints come on top",
        f"together at most {duration_text(sum(timed))} for {len(timed)} of {len(estimates)} studies",
    ]


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
        "trials": each.trials,
        "max_epochs": plan.max_epochs,
        "workers": each.workers,
        "at_once": each.at_once,
        "steps_per_epoch": each.steps_per_epoch,
        "seconds_at_most": each.seconds,
        "measured": [
            {**asdict(m), "architecture": m.architecture.label, "extrapolated": m.extrapolated} for m in found.measured
        ],
    }
