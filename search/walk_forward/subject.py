"""What is walked forward: a trial's spec, a spec in a file, or the baselines; and the study whose days it takes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from model.baselines import BASELINES, Baseline
from model.spec.spec import Spec, flatten
from pipeline.exceptions import InputError
from search.results.named_trial import choose_finished, find_trial
from search.study.study import Study, load_study
from search.tracking.stores import Stores
from search.tracking.tags import BASELINE_ROLE, TRIAL_ROLE
from search.trial.baselines import SETTINGS_HASH, baseline_params

ALL_BASELINES = "baselines"


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """One thing that is walked forward: a spec or a baseline.

    Parameters
    ----------
    name : str
        ``trial 3 d64-L2-h4-ff128``, ``spec d64-L2-h4-ff128 1f0c9a3b`` or ``baseline logistic``.
    spec : Spec, optional
        What is trained; None for a baseline.
    baseline : Baseline, optional
        What is fitted; None for a spec.
    """

    name: str
    spec: Spec | None = None
    baseline: Baseline | None = None

    def params(self, study: Study) -> dict[str, str]:
        """Everything that determines what is fitted to given rows, as MLflow params."""
        if self.spec is not None:
            return self.spec.params()
        assert self.baseline is not None
        return {name: value for name, value in baseline_params(study, self.baseline).items() if name != SETTINGS_HASH}

    def seeds(self, n_seeds: int) -> list[int]:
        """Seeds of so many models a year, the spec's own first; a baseline has one."""
        return [0] if self.spec is None else [self.spec.seed + number for number in range(n_seeds)]

    def context_length(self, study: Study) -> int:
        """Days before the first training row."""
        return study.plan.context_length if self.spec is None else self.spec.architecture.context_length


def read_subjects(stores: Stores, what: str, study: str = "", trial: int | None = None) -> tuple[Study, list[Subject]]:
    """Find what a user named.

    Parameters
    ----------
    stores : Stores
        Where studies are.
    what : str
        Name of a study, run id of a trial or its first digits, path of a ``spec.json``, or ``baselines``.
    study : str
        Name of the study of a spec or of baselines; a trial is of its own.
    trial : int, optional
        Number of the study's trial; the finished one of the lowest validation loss if None.

    Raises
    ------
    InputError
        If it is none of them, is not of the study, or the study's name is missing.
    StoreError
        If there is no such study, or the trial did not finish.
    """
    path = Path(what)
    if path.suffix == ".json" and not path.is_file():
        raise InputError(f"a spec must be the JSON file that runs keep as spec.json, got {what}: there is none")
    if what != ALL_BASELINES and not path.is_file():
        return _of_trial(stores, what, study, trial)
    if trial is not None:
        raise InputError(f"--trial is of a study's name, got {what} and --trial {trial}; leave one out")
    if not study:
        raise InputError(f"a walk-forward of {what} must know whose days to take, got no study; add --study NAME")
    opened = load_study(stores, study)
    if what == ALL_BASELINES:
        return opened, [Subject(name=f"{BASELINE_ROLE} {name}", baseline=each) for name, each in BASELINES.items()]
    spec = read_spec(path)
    _require_own(opened, spec, what)
    return opened, [Subject(name=f"spec {spec.architecture.label} {spec.hash[:8]}", spec=spec)]


def read_spec(path: Path) -> Spec:
    """Read a spec in the form that runs keep as ``spec.json``.

    Raises
    ------
    InputError
        If the file is not JSON of flat text.
    RecordError
        If it does not make a spec.
    """
    try:
        params = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"a spec must be the JSON file that runs keep as spec.json, got {path}: {error}") from error
    if not isinstance(params, dict) or not all(isinstance(value, str) for value in params.values()):
        raise InputError(f"a spec must be the JSON object of texts that runs keep as spec.json, got {path}")
    return Spec.from_params(params)


def _of_trial(stores: Stores, what: str, study: str, number: int | None) -> tuple[Study, list[Subject]]:
    opened, number = find_trial(stores, what, number)
    if study not in ("", opened.plan.study):
        raise InputError(
            f"a trial is walked forward on its own study's days, got --study {study} for one of {opened.plan.study}"
        )
    trial, _ = choose_finished(opened, number, "walk forward a finished trial")
    assert trial.spec is not None
    _require_own(opened, trial.spec, trial.name)
    label = f"{TRIAL_ROLE} {trial.number} {trial.spec.architecture.label}"
    return opened, [Subject(name=label, spec=trial.spec)]


def _require_own(study: Study, spec: Spec, what: str) -> None:
    """Refuse a spec of other data, another target or split: its days would be others."""
    plan = study.plan
    own, theirs = (
        {name: value for part in (each.data, each.target, each.split) for name, value in flatten(part)}
        for each in (spec, plan)
    )
    different = [f"{name} {own[name]}, the study has {theirs[name]}" for name in own if own[name] != theirs[name]]
    if different:
        raise InputError(
            f"a spec must have the data, target and split of study {plan.study}, got {what} with "
            f"{'; '.join(different)}; name its own study"
        )
