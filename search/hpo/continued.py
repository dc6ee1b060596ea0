"""Continue an imported study: its settings that lie in the grid of a budget are queued, to be trained on our data."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from optuna.trial import TrialState

from model.spec.architecture import BINARY, Architecture
from pipeline.exceptions import InputError
from search.hpo.command import open_stores, open_study
from search.legacy.recover.fields import read_number
from search.legacy.recover.foreign import MAXIMIZE
from search.legacy.recover.trial import FINISHED, FOREIGN, LegacyTrial
from search.space.axes import WINDOW_AXES
from search.space.drawn import contains
from search.study.make_plan import make_plan
from search.study.plan import DATA_DIRECTORY, Plan
from search.study.request import HpoRequest
from search.study.stored_plan import stored_plan
from search.study.study import TARGET_TRIALS
from search.study.values import NAME_LENGTH, NAME_LETTERS
from search.tracking.address import has_secret
from search.tracking.lease import brief_lease
from search.tracking.locks import require_free_name
from search.tracking.stores import resolve_stores

FORCED, SOURCE = "imported", "imported.trial"
DIMENSIONS = ("d_model", "n_layers", "n_heads", "d_ff")


@dataclass(frozen=True, kw_only=True, slots=True)
class Continuation:
    """What is queued of an imported study.

    Parameters
    ----------
    request : HpoRequest
        Of the study that continues it.
    plan : Plan
        Of that study.
    settings : sequence of (str, dict)
        Fingerprint and the parameters of each trial that lies in the grid, the best first, each once.
    left : Counter
        Why the other trials do not, with the number of them.
    """

    request: HpoRequest
    plan: Plan
    settings: Sequence[tuple[str, dict[str, Any]]]
    left: Counter[str]


def plan_continuation(request: HpoRequest, trials: Sequence[LegacyTrial]) -> Continuation:
    """Find which trials of an imported study lie in the grid of a request; only data are written.

    A result of other data says nothing of a trial here, so none is taken over: it gives the order only.

    Raises
    ------
    InputError
        If they are of no study, of several, or none lies in the grid: the message says why not.
    """
    studies = {trial.study for trial in trials if trial.form in FOREIGN}
    if len(studies) != 1 or None in studies:
        named = ", ".join(sorted(filter(None, studies))) or "none that has a name"
        raise InputError(
            f"--continue-as must be given one study of Optuna or another tool, got {named}; import it alone, or name "
            "it by --map study=COLUMN"
        )
    name = re.sub(rf"[^{NAME_LETTERS}]", "_", str(studies.pop()))[:NAME_LENGTH]
    request = replace(request, study=request.study or name, head=BINARY)
    stores = resolve_stores(request.tracking_uri, request.storage)
    if stored_plan(stores, request.study) is None:
        require_free_name(stores, request.study)
    plan, _ = make_plan(request, root=Path(DATA_DIRECTORY).absolute())
    by_dimensions = {tuple(getattr(a, each) for each in DIMENSIONS): a for a in plan.grid().architectures}
    found: dict[str, tuple[str, dict[str, Any]]] = {}
    left: Counter[str] = Counter()
    ranks = [_rank(trial) for trial in trials]
    for trial in (trials[at] for at in sorted(range(len(trials)), key=ranks.__getitem__)):
        problem, params = _map(trial, by_dimensions, plan)
        if problem:
            left[problem] += 1
        else:
            found.setdefault(repr(sorted(params.items())), (trial.fingerprint[:12], params))
    if not found:
        (why, count), *others = left.most_common()
        more = f" and {sum(n for _, n in others)} for other reasons" if others else ""
        raise InputError(
            f"a study can be continued where its parameters map to the grid of {plan.budget}, got {count} trials whose "
            f"{why}{more}; map what is there under another name with --map, or choose another budget"
        )
    return Continuation(request=request, plan=plan, settings=list(found.values()), left=left)


def queue_continuation(continuation: Continuation) -> list[str]:
    """Make the study, or open it, and queue what it does not hold yet; say what was done and how to go on."""
    request, plan = continuation.request, continuation.plan
    stores = open_stores(request)
    with brief_lease(stores, plan.study):
        study = open_study(stores, request, plan)
        held = {trial.user_attrs.get(SOURCE) for trial in study.schedule.get_trials(deepcopy=False)}
        new = [(source, params) for source, params in continuation.settings if source not in held]
        for source, params in new:
            study.schedule.enqueue_trial(params, user_attrs={"forced": FORCED, SOURCE: source})
        waiting = study.schedule.get_trials(deepcopy=False, states=(TrialState.WAITING,))
        target = max(request.trials, len(study.finished()) + len(waiting))
        study.schedule.set_user_attr(TARGET_TRIALS, target)
    there = len(continuation.settings) - len(new)
    return [
        f"study {plan.study} ({plan.budget}): {len(new)} imported settings queued, best first, {there} were there; "
        "their results are of other data and are not taken over",
        *(f"  not queued, {why}: {count} trials" for why, count in continuation.left.most_common()),
        f"go on with: patchscale hpo --study {plan.study} --trials {target} {_options(request)}",
    ]


def _options(request: HpoRequest) -> str:
    """Options that the command which goes on needs, as they are typed."""
    named = {"budget": request.budget, "horizon": request.horizon, "threshold": request.threshold}
    named |= {"source": request.source, "ticker": request.ticker, "tier": request.tier, "head": request.head}
    named |= {"split": request.split}
    named |= {name: _without_secret(getattr(request, name)) for name in ("tracking_uri", "storage")}
    standard = HpoRequest()
    given = {name: value for name, value in named.items() if name == "budget" or value != getattr(standard, name)}
    return " ".join(f"--{name.replace('_', '-')} {shlex.quote(str(value))}" for name, value in given.items())


def _without_secret(address: str) -> str:
    """Address of a store as it may be shown; one with a password is left to the variables, as it should be typed."""
    return "" if has_secret(address) else address


def _rank(trial: LegacyTrial) -> tuple[bool, float, int]:
    """Order trials: the finished ones first, the best of them by their direction, else as they came."""
    value = trial.outcome.value if trial.outcome.status == FINISHED else None
    order = 0.0 if value is None or not trial.direction else -value if trial.direction == MAXIMIZE else value
    return value is None, order, -1 if trial.number is None else trial.number


def _map(
    trial: LegacyTrial, by_dimensions: dict[tuple[Any, ...], Architecture], plan: Plan
) -> tuple[str, dict[str, Any]]:
    """Give a trial's parameters in the space of a plan; else say why not."""
    dimensions = {name: getattr(trial.architecture, name) for name in DIMENSIONS}
    unknown = [name for name, value in dimensions.items() if value is None]
    if unknown:
        return f"{', '.join(unknown)} {'is' if len(unknown) == 1 else 'are'} unknown", {}
    architecture = by_dimensions.get(tuple(dimensions.values()))
    if architecture is None:
        return f"architecture is not in the grid of {plan.budget}", {}
    for name in WINDOW_AXES:
        if read_number(trial.settings.get(name)) not in (None, own := getattr(architecture, name)):
            return f"{name} is not that of the grid, {own}", {}
    space = plan.space()
    training = space.usual_training()
    for name, distribution in space.training.items():
        stated = trial.training.get(name, trial.settings.get(name))
        if stated is None:
            continue
        try:
            value = type(training[name])(stated)
            inside = contains(distribution, value)
        except ValueError:
            inside = False
        if not inside:
            return f"{name} lies outside what is searched, {distribution}", {}
        training[name] = value
    return "", {**space.encode(architecture), **training}
