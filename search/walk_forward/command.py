"""``patchscale walkforward``: forecast year by year what was asked for, and print the pooled evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.exceptions import PatchscaleError, StoreLostError, describe_error
from search.results.holdout import holdout_in_words
from search.study.reconcile import close_stale
from search.study.study import Study
from search.tracking.lease import refuse_if_held, study_lease
from search.tracking.locks import part_of
from search.tracking.stores import Stores
from search.tracking.tags import BASELINE_ROLE, WALK_FORWARD_ROLE
from search.walk_forward.load import load_walk_forward
from search.walk_forward.progress import WalkProgress
from search.walk_forward.runs import find_finished, walk_forward_params
from search.walk_forward.subject import Subject, read_subjects
from search.walk_forward.tables import difference_table, of_names, pooled_table, without_years, yearly_table
from search.walk_forward.walk import WalkForwardData, load_walk_forward_data, overlap_years, walk_forward
from search.workers.engines import LOCAL, connected, make_workforce, require_engine, works_here
from search.workers.pool import Workforce
from search.workers.signals import Signals

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True, kw_only=True, slots=True)
class WalkForwardRequest:
    """What a user asked for.

    Parameters
    ----------
    what : str
        Name of a study, run id of a trial or its first digits, path of a ``spec.json``, or ``baselines``.
    study : str
        Name of the study; a trial's own if empty.
    trial : int, optional
        Number of the study's trial; its best one if None.
    seeds : int
        Models a year of a spec.
    first_year, last_year : int, optional
        Test years; as many as there are if not given.
    workers, device, engine, address, gpus_per_trial
        As for ``patchscale hpo``.
    """

    what: str
    study: str
    trial: int | None
    seeds: int
    first_year: int | None
    last_year: int | None
    workers: str
    device: str
    engine: str = LOCAL
    address: str = ""
    gpus_per_trial: float = 0.0


def run_walk_forward(stores: Stores, request: WalkForwardRequest, console: Console) -> int:
    """Walk forward what is not there yet, and print it beside the baselines of the same years.

    Returns
    -------
    int
        Exit code: 0, or 1 if something failed.

    Raises
    ------
    SealedError
        If a year reaches into the sealed test split.
    PatchscaleError
        If what was asked for does not exist or does not fit its study.
    """
    require_engine(request)
    study, subjects = read_subjects(stores, request.what, request.study, request.trial)
    refuse_if_held(stores, part_of(study.plan.study, "walkforward"))
    device = request.device if works_here(request) and subjects[0].spec is not None else "cpu"
    data = load_walk_forward_data(study, subjects[0], request.first_year, request.last_year, device=device)
    n_failed = 0
    held = study_lease(stores, part_of(study.plan.study, "walkforward"))
    with Signals() as signals, held as lease, connected(request, stores):
        workforce = make_workforce(request, stores, lease)
        close_stale(study, WALK_FORWARD_ROLE)
        with WalkProgress(console) as progress:
            for subject in subjects:
                n_failed += not _walk(study, subject, data, request, workforce, progress, signals, console)
    if n_failed < len(subjects):
        print_evidence(study, subjects, data, console)
    return 1 if n_failed else 0


def _walk(
    study: Study,
    subject: Subject,
    data: WalkForwardData,
    request: WalkForwardRequest,
    workforce: Workforce,
    progress: WalkProgress,
    signals: Signals,
    console: Console,
) -> bool:
    """Walk one subject forward, unless that is done; whether it is there now."""
    found = find_finished(study, walk_forward_params(study, subject, data.years, request.seeds))
    if found is not None:
        console.print(f"{subject.name}: there already, run {found.info.run_id}", markup=False)
        return True
    try:
        run_id = walk_forward(study, subject, data, request.seeds, workforce, progress, signals)
    except StoreLostError:
        raise
    except Exception as error:
        said = str(error) if isinstance(error, PatchscaleError) else describe_error(error)
        console.print(f"{subject.name} failed: {said}", markup=False)
        return False
    console.print(f"{subject.name}: walked forward {data.years[0]} to {data.years[1]}, run {run_id}", markup=False)
    return True


def print_evidence(study: Study, subjects: Sequence[Subject], data: WalkForwardData, console: Console) -> None:
    """Print pooled evidence, differences from the best baseline and the years, beside the baselines that there are."""
    every = load_walk_forward(study, years=data.years)
    names = {subject.name for subject in subjects} | {name for name in every.names if name.startswith(BASELINE_ROLE)}
    forecasts = of_names(every, names)
    overlap = overlap_years(study.plan.split, [fold.year for fold in data.folds])
    title = f"{study.plan.study}, walk-forward"
    for shown, kind in ((forecasts, "all years"), (without_years(forecasts, overlap), "without the starred years")):
        if len(shown.dates_D) and (shown is forecasts or overlap):
            console.print(pooled_table(shown, f"{title}, {kind}"))
            differences = difference_table(shown, kind)
            if differences is not None:
                console.print(differences)
    for metric in ("loss", "roc_auc"):
        console.print(yearly_table(forecasts, metric, overlap))
    for line in remarks(study, forecasts.roles, data.years, overlap):
        console.print(line, markup=False)


def remarks(study: Study, roles: Sequence[str], years: tuple[int, int], overlap: Sequence[int]) -> list[str]:
    """Say what a reader has to know of the figures, a line each."""
    plan, said = study.plan, []
    if overlap:
        said.append(
            f"{', '.join(map(str, overlap))}: validation days on which this study chose its specs, so a spec's figures "
            "there are optimistic; the tables without these years are the ones to quote"
        )
    said.append(
        f"{holdout_in_words(study)}, and not read here; a spec's setting was chosen with data up to the validation "
        "days, only its weights know nothing of the year they forecast"
    )
    if BASELINE_ROLE not in roles:
        said.append(
            f"no baseline was walked forward over {years[0]} to {years[1]} yet: patchscale walkforward baselines "
            f"--study {plan.study} --first-year {years[0]} --last-year {years[1]}"
        )
    return said
