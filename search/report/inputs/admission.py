"""Which studies a report may be of."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.exceptions import InputError, StoreError
from search.legacy.record.present import legacy_runs
from search.report.inputs.study_inputs import StudyInputs
from search.study.study import Study, load_study
from search.tracking.stores import Stores, open_storage, open_tracking
from search.tracking.tags import STUDY


def open_studies(stores: Stores, names: Sequence[str]) -> list[Study]:
    """Open the studies of a page, and refuse what was only imported, or never was.

    Raises
    ------
    InputError
        If a name is given twice, or the study has no finished trial.
    StoreError
        If there is no such study here; it says so if the record holds an imported one.
    """
    if len(set(names)) < len(names):
        raise InputError(f"each study must be named once, got {', '.join(names)}")
    client, storage = open_tracking(stores), open_storage(stores)
    studies = []
    for name in names:
        try:
            study = load_study(stores, name, client=client, storage=storage)
        except StoreError as error:
            if any(run.data.tags.get(STUDY) == name for run in legacy_runs(client)):
                raise StoreError(
                    f"a report needs forecasts by day, got the imported study {name}, which has none, dry runs among "
                    "its runs perhaps; repeat it with patchscale hpo"
                ) from error
            raise
        if not study.finished():
            raise InputError(
                f"a report needs at least one finished trial, got study {name} with none; run patchscale hpo --study "
                f"{name}"
            )
        studies.append(study)
    return studies


def require_comparable(all_inputs: Sequence[StudyInputs]) -> None:
    """Refuse to put studies of other days or another question on one page.

    Raises
    ------
    InputError
        Naming the first difference.
    """
    first = all_inputs[0]
    for other in all_inputs[1:]:
        for what in ("target", "split"):
            mine, theirs = getattr(first.plan, what), getattr(other.plan, what)
            if mine != theirs:
                raise InputError(
                    f"studies on one page must share their {what}, got {theirs} in {other.name} and {mine} in "
                    f"{first.name}; report them one by one"
                )
        if not other.forecasts.has_days_of(first.forecasts):
            raise InputError(
                f"studies on one page must have the same days and outcomes, got others in {other.name} than in "
                f"{first.name}; report them one by one"
            )


def require_trials(inputs: StudyInputs) -> None:
    """Refuse a study without one valid trial that kept its predictions.

    Raises
    ------
    InputError
        Saying how many it has of what.
    """
    if not inputs.trials.names:
        raise InputError(
            f"a report needs a finished, valid trial with predictions, got none in study {inputs.name}; "
            f"patchscale audit {inputs.name} says what is wrong"
        )
