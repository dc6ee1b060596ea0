"""The campaign: a matrix of studies, budgets × horizons, queued together and worked off in order."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

from model.spec.budget import Budget
from pipeline.exceptions import InputError, LostLeaseError, PatchscaleError, StoreLostError, describe_error
from pipeline.redaction import redacted_traceback
from search.audit.status import study_states
from search.audit.status_table import figure_text
from search.hpo.command import open_stores, open_study, require_runnable, work_on
from search.hpo.launcher import Launcher
from search.results.card import study_card
from search.results.trials_table import trials_table
from search.study.make_plan import make_plan
from search.study.plan import DATA_DIRECTORY, Plan
from search.study.request import HpoRequest
from search.study.restore import restore
from search.study.study import Study
from search.tracking.held import require_held
from search.tracking.lease import brief_lease, campaign_lease, refuse_if_held
from search.tracking.run import RunWriter
from search.tracking.stores import Stores, open_storage, resolve_stores
from search.tracking.tags import NOTE
from search.workers.engines import connected
from search.workers.progress import make_console
from search.workers.signals import Signals

if TYPE_CHECKING:
    from pipeline.datasets.dataset import DatasetVersion


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One study of the matrix.

    Parameters
    ----------
    request, plan, dataset
        What was asked of it, and what :func:`search.study.make_plan.make_plan` made of that.
    """

    request: HpoRequest
    plan: Plan
    dataset: DatasetVersion


def plan_campaign(
    request: HpoRequest, budgets: Sequence[str], horizons: Sequence[int], stores: Stores | None = None
) -> list[Cell]:
    """Plan every study of the matrix, budgets outside and horizons inside, in the order given.

    All of them have the data of now: a download while the campaign runs changes none.

    Parameters
    ----------
    request : HpoRequest
        What all studies share; its budget and horizon are not looked at.
    budgets, horizons
        Each once.
    stores : Stores, optional
        Where none of the studies may be in use.

    Raises
    ------
    InputError
        Naming the first rule that a value breaks; nothing is made but data.
    StoreError
        Naming the first study that another command works on.
    """
    sizes = [Budget(text=text).n_params for text in budgets]
    for name, given, values in (("budgets", budgets, sizes), ("horizons", horizons, horizons)):
        if not values or len(set(values)) < len(values):
            raise InputError(f"{name} must be values, each once, separated by commas, got {','.join(map(str, given))}")
    require_runnable(request)
    cells = []
    for budget in budgets:
        for horizon in horizons:
            asked = replace(request, budget=budget, horizon=horizon)
            plan, dataset = make_plan(asked, root=Path(DATA_DIRECTORY).absolute())
            if stores is not None:
                refuse_if_held(stores, plan.study)
            cells.append(Cell(request=asked, plan=plan, dataset=dataset))
    return cells


def run_campaign(request: HpoRequest, budgets: Sequence[str], horizons: Sequence[int]) -> int:
    """Queue the matrix and work it off; the same command again goes on.

    Returns
    -------
    int
        Exit code: 0 if every study is complete, 1 if one is not, 128 + signal number if interrupted.

    Raises
    ------
    PatchscaleError
        If an input breaks a rule, or a study of the matrix is in use; no trial has been run then.
    """
    launcher = Launcher.from_environment()
    if launcher is not None:
        launcher.require_no_secret("campaign", request.tracking_uri, request.storage)
    cells = plan_campaign(request, budgets, horizons, resolve_stores(request.tracking_uri, request.storage))
    stores = open_stores(request)
    with Signals(), campaign_lease(stores, [cell.plan.study for cell in cells]), connected(request, stores):
        studies = queue(stores, cells)
        campaign = Campaign(stores, cells, studies, launched=launcher is not None)
        if launcher is not None:
            launcher.link(*studies)
        status, state = "KILLED", "interrupted"
        try:
            code = campaign.run()
            if code < 128:
                status, state = ("FINISHED", "complete") if code == 0 else ("FAILED", campaign.verdict())
            return code
        finally:
            if launcher is not None:
                launcher.end(status, state)


def queue(stores: Stores, cells: Sequence[Cell]) -> list[Study]:
    """Open or make every study, in the order of the cells; those that never began say so in both stores.

    Raises
    ------
    StoreError
        If one is in use, or exists with another plan; such a one is found before any is made.
    """
    existing = {each.study_name for each in open_storage(stores).get_all_studies()}
    opened: dict[str, Study] = {}
    for cell in sorted(cells, key=lambda cell: cell.plan.study not in existing):
        name = cell.plan.study
        with brief_lease(stores, name):
            opened[name], restored = restore(open_study(stores, cell.request, cell.plan))
            for line in restored:
                make_console().print(f"reconciled: {line}", markup=False)
            if not opened[name].is_begun():
                _say_queued(opened[name])
    return [opened[cell.plan.study] for cell in cells]


def _say_queued(study: Study) -> None:
    study.client.update_run(study.run_id, status="SCHEDULED")
    note = study_card(study, trials_table(study), "queued")
    RunWriter(study.client, study.run_id).set_tags({NOTE: note, "study.state": "queued"})


class Campaign:
    """Work off queued studies, one after the other.

    Parameters
    ----------
    stores : Stores
        Open.
    cells, studies
        The matrix and what :func:`queue` made of it, in the same order.
    launched : bool
        Whether ``mlflow run`` started this process, so that its end is ours.
    """

    def __init__(self, stores: Stores, cells: Sequence[Cell], studies: Sequence[Study], *, launched: bool) -> None:
        self.stores, self.cells, self.studies = stores, cells, studies
        self.console = make_console()
        self.failures: dict[str, str] = {}
        self._parent = os.getppid() if launched else None

    def run(self) -> int:
        """Work until every study was worked on or somebody stops it: the exit code of :func:`run_campaign`."""
        stopped_by: int | None = None
        try:
            for i, (cell, study) in enumerate(zip(self.cells, self.studies, strict=True), start=1):
                stopped_by = self._work_on(f"campaign {i}/{len(self.cells)}", cell, study)
                if stopped_by is not None:
                    break
        except (KeyboardInterrupt, SystemExit) as end:
            stopped_by = end.code - 128 if isinstance(end, SystemExit) and isinstance(end.code, int) else signal.SIGINT
        self.console.print(summary_table(self.stores, [study.plan.study for study in self.studies], self.failures))
        for name, reason in self.failures.items():
            self._say(f"study {name} {reason}")
        if stopped_by is not None:
            self._say("campaign interrupted; the same command continues")
            return 128 + stopped_by
        return 1 if self.failures else 0

    def verdict(self) -> str:
        """How many studies are not complete, in words."""
        return f"{len(self.failures)} of {len(self.studies)} studies are not complete"

    def _work_on(self, place: str, cell: Cell, study: Study) -> int | None:
        """Bring one study to its end; the number of the signal that stopped it, if one did."""
        if self._parent is not None and os.getppid() != self._parent:
            return signal.SIGTERM
        name, done = cell.plan.study, len(study.finished())
        if done >= study.target_trials and study.client.get_run(study.run_id).info.status == "FINISHED":
            self._say(f"{place}: study {name} is complete with {done}/{study.target_trials} trials")
            return None
        self._say(f"{place}: study {name}")
        try:
            ending = work_on(self.stores, cell.request, cell.plan, launched=self._parent is not None)
        except Exception as error:
            if isinstance(error, LostLeaseError):
                require_held()  # of the campaign itself: who took over one study leaves it the others
            elif isinstance(error, StoreLostError):
                raise  # the studies that follow are in the same store
            self.failures[name] = f"failed: {describe_error(error)}"
            self._say(f"study {name} {self.failures[name]}; the campaign goes on")
            if not isinstance(error, PatchscaleError):
                print(redacted_traceback(error), end="", file=sys.stderr, flush=True)
            return None
        if not ending.complete and ending.signal is None:
            self.failures[name] = "stopped by timeout" if ending.timed_out else "ended incomplete"
        return ending.signal

    def _say(self, line: str) -> None:
        self.console.print(line, markup=False)


def summary_table(stores: Stores, names: Sequence[str], failures: Mapping[str, str]) -> Table:
    """Where each study of a campaign stands, from the stores."""
    states = {row["study"]: row for row in study_states(stores)}
    table = Table("study", "state", "trials", "best loss", "skill", title="Campaign")
    for name in names:
        row = states[name]
        done = f"{row['finished']}/{row['target']}" if "finished" in row else "unknown"
        figures = [figure_text(row.get("best_loss"), ".4f"), figure_text(row.get("best_skill"), "+.3f")]
        table.add_row(name, failures.get(name, row["state"]).split(":")[0], done, *figures)
    return table
