"""``patchscale report``: read, measure, draw, write, log."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from pipeline.exceptions import InputError
from search.report.inputs.admission import open_studies, require_comparable, require_trials
from search.report.inputs.study_inputs import Material, read_material
from search.report.inputs.walked_trial import walked_best
from search.report.layout.blocks import Figure, Section, Table
from search.report.layout.page import Picture, draw_pictures, render_page
from search.report.sections.architecture import architecture_section
from search.report.sections.budgets import best_trials_apart, budgets_section, in_order, previous_budget
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
from search.tracking.artifacts import replace_artifacts
from search.tracking.stores import Stores, study_lock
from search.trial.baselines import log_baselines

FOLDER, PAGE = "report", "report.html"
MIN_RESAMPLES = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """A page with its pictures and tables.

    Parameters
    ----------
    html : str
        The page.
    pictures : dict
        By name.
    tables : dict
        Data of every figure and table, by name.
    """

    html: str
    pictures: dict[str, Picture]
    tables: dict[str, pd.DataFrame]

    def write(self, directory: Path) -> Path:
        """Write everything into an empty directory of this name; return the page's path."""
        shutil.rmtree(directory, ignore_errors=True)
        for name in ("figures", "data"):
            (directory / name).mkdir(parents=True)
        for name, picture in self.pictures.items():
            (directory / "figures" / f"{name}.png").write_bytes(picture.content)
        for name, table in self.tables.items():
            table.to_csv(directory / "data" / f"{name}.csv", index=False)
        page = directory / PAGE
        page.write_text(self.html, encoding="utf-8")
        return page


def write_report(
    stores: Stores, names: Sequence[str], *, n_resamples: int, say: Callable[[str], None] = lambda line: None
) -> Path:
    """Make the page of the first study, the others beside it, and log it to the first one's run.

    Parameters
    ----------
    stores : Stores
        Of the record and the schedule.
    names : sequence of str
        Studies; several must share target and days.
    n_resamples : int
        Of the bootstrap.
    say : callable, optional
        Told what is being done.

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
    studies = open_studies(stores, names)
    say(f"reading {', '.join(names)}")
    materials = [_read_own(stores, studies[0], say), *map(read_material, studies[1:])]
    for material in materials:
        require_trials(material)
    require_comparable(materials)
    say(f"measuring, {n_resamples:,} resamples")
    report = make_report(materials, n_resamples=n_resamples, scaling=_scaling(studies))
    directory = stores.home / "reports" / names[0]
    page = report.write(directory)
    replace_artifacts(studies[0].client, studies[0].run_id, directory, FOLDER)
    return page


def make_report(materials: Sequence[Material], *, n_resamples: int, scaling: Scaling | str | None = None) -> Report:
    """Turn what was read into a page: the same material gives the same bytes.

    Parameters
    ----------
    materials : sequence of Material
        The page's own study first.
    n_resamples : int
        Of the bootstrap.
    scaling : Scaling or str, optional
        Over the budgets, or why it can't be fitted; None for one budget.
    """
    material, others = materials[0], materials[1:]
    measured = measure(material.forecasts, n_resamples=n_resamples)
    smaller = previous_budget(material, others)
    previous = (
        None if smaller is None else (smaller.name, best_trials_apart(material, smaller, n_resamples=n_resamples))
    )
    sections: list[Section] = [
        forecasts_section(material, measured, previous),
        reality_section(material, measured),
        architecture_section(material, measured),
        probabilities_section(material, measured),
        learning_section(material, measured),
    ]
    if material.walked is not None:
        sections.append(walk_forward_section(material, material.walked, n_resamples=n_resamples))
    if others:
        sections.append(budgets_section(in_order(materials), measured))
    if scaling is not None:
        sections.append(scaling_section(scaling, measured))
    sections.append(methods_section(material, measured))
    head = page_head(material, measured, walked_best(material, n_resamples=n_resamples))
    pictures = draw_pictures(sections)
    blocks: list[Figure | Table] = [
        block for section in sections for block in section.blocks if isinstance(block, Figure | Table)
    ]
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


def _read_own(stores: Stores, study: Study, say: Callable[[str], None]) -> Material:
    """Read the page's own study; baselines that are missing are logged first, as patchscale baselines would."""
    material = read_material(study)
    require_trials(material)
    if not material.baselines.names:
        say(f"study {study.plan.study} has no baselines yet: logging them")
        with study_lock(stores, f"{study.plan.study}.baselines"):
            failed = [each for each in log_baselines(study) if each.error]
        if failed:
            say(f"{failed[0].name} failed: {failed[0].error}")
        material = read_material(study)
    material.forecasts.best("baseline")
    return material
