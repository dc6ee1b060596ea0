"""What a study has tried of all that it can draw, where that has an end: nothing is drawn in vain for ever."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import product
from typing import TYPE_CHECKING, Any

from optuna.trial import TrialState

from pipeline.exceptions import InputError
from search.space.drawn import values_of

if TYPE_CHECKING:
    import optuna

    from search.space.ranks import SearchSpace
    from search.study.plan import Plan


def require_enough_specs(plan: Plan, trials: int) -> None:
    """Refuse more trials than there are specs, where every training setting is fixed or has few values.

    Raises
    ------
    InputError
        Naming how many there are.
    """
    space = plan.space()
    if space.n_specs is not None and trials > space.n_specs:
        raise InputError(
            f"trials must be at most the {space.n_specs} specs that {len(space.grid.architectures)} architectures and "
            f"the values of the training settings make, got {trials}: no spec is trained twice; take --trials "
            f"{space.n_specs}, or search a range, for instance --learning-rate 1e-5:1e-3:log"
        )


def tried(schedule: optuna.Study) -> set[str]:
    """Names of the specs whose trials finished, were pruned or failed: training them again would end as it did."""
    ended = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
    trials = schedule.get_trials(deepcopy=False, states=ended)
    return {
        trial.user_attrs["spec_hash"]
        for trial in trials
        if "spec_hash" in trial.user_attrs and trial.user_attrs.get("end") != "interrupted"
    }


def draw_untried(plan: Plan, schedule: optuna.Study) -> dict[str, Any] | None:
    """Draw evenly, by the study's seed, among the parameters that make a spec which was not tried; None if all were."""
    known = tried(schedule)
    space = plan.space()
    left = [params for params, name in _every_spec(plan, space) if name not in known]
    return random.Random(f"{plan.seed} {len(known)}").choice(left) if left else None


def _every_spec(plan: Plan, space: SearchSpace) -> Iterator[tuple[dict[str, Any], str]]:
    """Parameters and name of every spec of a space that has an end."""
    for architecture in space.grid.architectures:
        ranks = space.encode(architecture)
        for values in product(*map(values_of, space.training.values())):
            training = dict(zip(space.training, values, strict=True))
            yield {**ranks, **training}, plan.spec(architecture, training).hash
