"""The same trial in two files: a study's log and its JSON say one trial in two forms, and it is one run."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from search.legacy.record.runs import BEST, COMPARABLE, trial_metrics, trial_params
from search.legacy.recover.fields import is_rounding, read_number
from search.legacy.recover.trial import LegacyTrial
from search.tracking.tags import PARENT, STUDY, TRIAL_NUMBER

if TYPE_CHECKING:
    from mlflow.entities import Run

COMPARED = (
    "d_model",
    "n_layers",
    "n_heads",
    "d_ff",
    "n_params",
    "learning_rate",
    "weight_decay",
    "epochs",
    "batch_size",
)
LONG = 8
_BUDGET_TWICE = re.compile(r"(?P<name>.*_(?P<budget>[0-9.]+[KMB])(?:_.*)?)_(?P=budget)")


@dataclass(kw_only=True, slots=True)
class Known:
    """A trial's run, as far as another file's trial is compared with it.

    Parameters
    ----------
    run_id, experiment_id, parent : str
        Of the run.
    form, study, file, number
        As in :class:`search.legacy.recover.trial.LegacyTrial`; the study without a budget that it names twice.
    params, metrics : Mapping
        That the run has.
    value : float, optional
        Result of the trial.
    also : str
        Other sources that say the same trial.
    """

    run_id: str
    experiment_id: str
    parent: str
    form: str
    study: str | None
    file: str
    number: int
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    value: float | None
    also: str = ""


@dataclass(kw_only=True, slots=True)
class Twins:
    """Runs by trial number."""

    by_number: dict[int, list[Known]] = field(default_factory=dict)

    def add(self, known: Known | None) -> None:
        """Remember a run; what has no number or is of an unknown study is no twin of anything."""
        if known is not None:
            self.by_number.setdefault(known.number, []).append(known)

    def find(self, trial: LegacyTrial, *, of: Collection[str] = ()) -> Known | None:
        """Find the run of the same trial from a file of another form.

        Of a study of the same name it has the same number and result, and no setting that differs; where one file
        names no study, the learning rate must also be the same, and it or the result have many digits.

        Parameters
        ----------
        trial : LegacyTrial
            To find.
        of : collection of str
            Parent runs of studies that its file is known to be of: then digits are not asked for.
        """
        if trial.number is None or not trial.comparable:
            return None
        params, value = trial_params(trial), trial_value(trial_metrics(trial))
        found = [
            known
            for known in self.by_number.get(trial.number, ())
            if family(known.form) != family(trial.form)
            and _same_result(known, params, value)
            and not any(_differ(known.params.get(name), params.get(name)) for name in COMPARED)
            and (known.parent in of or _same_study(known, trial.study, params, value))
        ]
        return found[0] if len(found) == 1 else None

    def find_all(self, trials: Sequence[LegacyTrial]) -> dict[int, Known]:
        """Find the runs of a file's trials, by the place of each: a few that are proven show whose the others are."""
        found = {at: known for at, trial in enumerate(trials) if (known := self.find(trial)) is not None}
        of = {known.parent for known in found.values()}
        others = [at for at in range(len(trials)) if at not in found] if of else []
        return found | {at: known for at in others if (known := self.find(trials[at], of=of)) is not None}


def known_run(run: Run) -> Known | None:
    """Read what is compared from a run of the record."""
    tags = run.data.tags
    number = read_number(tags.get(TRIAL_NUMBER))
    if number is None or COMPARABLE in tags:
        return None
    return Known(
        run_id=run.info.run_id,
        experiment_id=run.info.experiment_id,
        parent=tags.get(PARENT, ""),
        form=tags.get("legacy.form", ""),
        study=study_key(tags.get(STUDY)),
        file=tags.get("legacy.file", ""),
        number=int(number),
        params=run.data.params,
        metrics=run.data.metrics,
        value=trial_value(run.data.metrics),
        also=tags.get("legacy.also", ""),
    )


def known_trial(trial: LegacyTrial, *, run_id: str, experiment_id: str, parent: str, file: str) -> Known | None:
    """Remember a trial that was just written."""
    if trial.number is None or not trial.comparable:
        return None
    metrics = trial_metrics(trial)
    return Known(
        run_id=run_id,
        experiment_id=experiment_id,
        parent=parent,
        form=trial.form,
        study=study_key(trial.study),
        file=file,
        number=trial.number,
        params=trial_params(trial),
        metrics=metrics,
        value=trial_value(metrics),
    )


def trial_value(metrics: Mapping[str, float]) -> float | None:
    """Read the result of a trial: its loss, what it calls no name, or its AUC."""
    return next(
        (metrics[f"{BEST}{name}"] for name in ("loss", "objective", "roc_auc") if f"{BEST}{name}" in metrics), None
    )


def study_key(name: str | None) -> str | None:
    """Name of a study without the budget that its log adds to it.

    Examples
    --------
    >>> study_key("phase6a_2M_h1_threshold_1pct_2M"), study_key("phase6a_2M_h1")
    ('phase6a_2M_h1_threshold_1pct', 'phase6a_2M_h1')
    """
    found = _BUDGET_TWICE.fullmatch(name) if name else None
    return found["name"] if found else name or None


def what_is_new(trial: LegacyTrial, known: Known) -> tuple[dict[str, str], dict[str, float]]:
    """Params and metrics that a second source adds: what the run does not say, and no second name of its result."""
    params = {name: text for name, text in trial_params(trial).items() if name not in known.params}
    held: Iterable[str] = known.metrics
    has_result = known.value is not None
    metrics: dict[str, float] = {
        name: value
        for name, value in trial_metrics(trial).items()
        if name not in held and not (has_result and name == f"{BEST}objective")
    }
    return params, metrics


def family(form: str) -> str:
    """Which forms are never compared with each other: a log's lines are of several."""
    return "log" if form.startswith("log ") else form


def _same_result(known: Known, params: Mapping[str, str], value: float | None) -> bool:
    """Whether results agree; of two trials without one, both must have been given the same learning rate."""
    if known.value is None and value is None:
        return known.params.get("learning_rate") == params.get("learning_rate") is not None
    return _same(known.value, value)


def _same_study(known: Known, study: str | None, params: Mapping[str, str], value: float | None) -> bool:
    if known.study is not None and study is not None:
        return known.study == study_key(study)
    rate = params.get("learning_rate")
    if rate is None or rate != known.params.get("learning_rate") or value != known.value:
        return False
    return max(_digits(rate), _digits(repr(value))) >= LONG


def _digits(text: str) -> int:
    return len(text.lower().split("e")[0].replace(".", "").strip("0"))


def _same(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return False
    return math.isclose(one, other, rel_tol=1e-12) or is_rounding(one, other) or is_rounding(other, one)


def _differ(one: Any, other: Any) -> bool:
    """Whether two texts of a setting contradict each other; absence contradicts nothing."""
    numbers = read_number(one), read_number(other)
    return None not in numbers and not _same(*numbers)
