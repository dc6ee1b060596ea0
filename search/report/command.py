"""``patchscale report``: read, measure, draw, write, log."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from pipeline.exceptions import InputError
from pipeline.named_file import child, is_file_name
from search.report.inputs.admission import open_studies, require_comparable, require_trials
from search.report.inputs.study_inputs import StudyInputs, read_study_inputs
from search.report.inputs.walked_trial import walked_best
from search.report.layout.blocks import Figure, Section, Table
from search.report.layout.page import Picture, draw_pictures, render_page
from search.report.sections.architecture import architecture_section
from search.report.sections.budgets import best_trials_apart, budgets_section, in_order, previous_budget
from search.report.sections.distribution import distribution_section
from search.report.sections.finalists import finalists_section
from search.report.sections.forecasts import forecasts_section
from search.report.sections.learning import learning_section
from search.report.sections.methods import methods_section
from search.report.sections.probabilities import probabilities_section
from search.report.sections.reality import reality_section
from search.report.sections.scaling import scaling_section
from search.report.sections.verdict import page_head
from search.report.sections.walk_forward import walk_forward_section
from search.report.statistics.measure import measure
from search.scaling import Scaling, scaling_of
from search.study.study import Study
from search.study.values import require_resamples
from search.tracking.artifacts import replace_artifacts
from search.tracking.lease import brief_lease, store_lease
from search.tracking.locks import part_of
from search.tracking.stores import Stores
from search.trial.baselines import log_baselines

FOLDER, PAGE, REPORTS = "report", "report.html", "reports"
MIN_RESAMPLES = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """A page with its pictures, and the data of every figure and table, by name."""

    html: str
    pictures: dict[str, Picture]
    tables: dict[str, pd.DataFrame]

    def write(self, directory: Path) -> Path:
        """Write everything into a directory of ``reports``, in place of what it held, whole or not at all.

        Returns
        -------
        Path
            Of the page.

        Raises
        ------
        InputError
            If it is no directory of its own in ``reports``: whatever else it holds would be lost.
        """
        require_own(directory)
        part = directory.with_name(f".{directory.name}.{os.getpid()}.part")
        shutil.rmtree(part, ignore_errors=True)
        try:
            for name in ("figures", "data"):
                (part / name).mkdir(parents=True)
            for name, picture in self.pictures.items():
                (part / "figures" / f"{name}.png").write_bytes(picture.content)
            for name, table in self.tables.items():
                table.to_csv(part / "data" / f"{name}.csv", index=False)
            (part / PAGE).write_text(self.html, encoding="utf-8")
            shutil.rmtree(directory, ignore_errors=True)
            part.rename(directory)
        finally:
            shutil.rmtree(part, ignore_errors=True)
        return directory / PAGE


def write_report(
    stores: Stores, names: Sequence[str], *, n_resamples: int, say: Callable[[str], None] = lambda line: None
) -> Path:
    """Make the page of the first study, the others beside it, and log it to the first one's run.

    Several studies must share target and days. What is being done is told to ``say``.

    Returns
    -------
    Path
        Of the page on this machine.

    Raises
    ------
    PatchscaleError
        If a study can't be reported; the message says why.
    """
    if n_resamples < MIN_RESAMPLES:
        raise InputError(f"resamples must be at least {MIN_RESAMPLES}, got {n_resamples}; 2000 is usual")
    require_resamples(n_resamples)
    studies = open_studies(stores, names)
    directory = child(stores.home / REPORTS, names[0], "a study with a report")
    require_own(directory)
    say(f"reading {', '.join(names)}")
    all_inputs = [_read_own(stores, studies[0], say), *map(read_study_inputs, studies[1:])]
    for inputs in all_inputs:
        require_trials(inputs)
    require_comparable(all_inputs)
    say(f"measuring, {n_resamples:,} resamples")
    report = make_report(all_inputs, n_resamples=n_resamples, scaling=_scaling(studies))
    with store_lease(stores, part_of(names[0], FOLDER)):
        page = report.write(directory)
        replace_artifacts(studies[0].client, studies[0].run_id, directory, FOLDER)
    return page


def require_own(directory: Path) -> None:
    """Refuse a directory that is not one of a study alone, below ``reports``.

    Raises
    ------
    InputError
        If it is ``reports`` itself, lies elsewhere, or is a link or a file.
    """
    if directory.parent.name != REPORTS or not is_file_name(directory.name):
        raise InputError(f"a report must be written into a directory of its own in {REPORTS}, got {directory}")
    if directory.is_symlink() or (directory.exists() and not directory.is_dir()):
        raise InputError(f"a report must be written into a directory, got the file or link {directory}; move it away")


def make_report(all_inputs: Sequence[StudyInputs], *, n_resamples: int, scaling: Scaling | str | None = None) -> Report:
    """Turn what was read, of the page's own study first, into a page: the same inputs give the same bytes.

    Scaling over the budgets may be why it can't be fitted; it is None for one budget.
    """
    inputs, others = all_inputs[0], all_inputs[1:]
    measured = measure(inputs.forecasts, n_resamples=n_resamples)
    smaller = previous_budget(inputs, others)
    previous = None if smaller is None else (smaller.name, best_trials_apart(inputs, smaller))
    sections: list[Section] = [
        forecasts_section(inputs, measured, previous),
        reality_section(inputs, measured),
        architecture_section(inputs, measured),
        probabilities_section(inputs, measured),
        distribution_section(inputs, measured),
        learning_section(inputs, measured),
    ]
    if inputs.retrained is not None:
        sections.append(finalists_section(inputs, inputs.retrained))
    if inputs.walked is not None:
        sections.append(walk_forward_section(inputs, inputs.walked))
    if others:
        sections.append(budgets_section(in_order(all_inputs), measured))
    if scaling is not None:
        sections.append(scaling_section(scaling, measured))
    sections.append(methods_section(inputs, measured))
    head = page_head(inputs, measured, walked_best(inputs))
    pictures = draw_pictures(sections)
    blocks = [block for section in sections for block in section.blocks if isinstance(block, Figure | Table)]
    tables = {block.name: block.data for block in blocks}
    assert all(tables[block.name].equals(block.data) for block in blocks)
    return Report(html=render_page(head, sections, pictures), pictures=pictures, tables=tables)


def _scaling(studies: Sequence[Study]) -> Scaling | str | None:
    """Fit loss against size where there are several budgets; say why if it can't be."""
    if len({study.plan.budget for study in studies}) < 2:
        return None
    try:
        return scaling_of(studies)
    except InputError as error:
        return f"{error}."


def _read_own(stores: Stores, study: Study, say: Callable[[str], None]) -> StudyInputs:
    """Read the page's own study; baselines that are missing are logged first, as patchscale baselines would."""
    with brief_lease(stores, part_of(study.plan.study, "baselines")):
        inputs = read_study_inputs(study)
        require_trials(inputs)
        if not inputs.baselines.names:
            say(f"study {study.plan.study} has no baselines yet: logging them")
            failed = [each for each in log_baselines(study) if each.error]
            if failed:
                say(f"{failed[0].name} failed: {failed[0].error}")
            inputs = read_study_inputs(study)
    inputs.forecasts.best("baseline")
    return inputs
