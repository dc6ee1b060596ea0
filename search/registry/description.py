"""What a version's page in the registry says about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlflow.exceptions import MlflowException

from pipeline.splits.target import Target
from search.registry.gate.gate import Gate
from search.registry.gate.track_record import TrackRecord
from search.registry.packaging.best_trial import BestTrial
from search.registry.packaging.build import Packaged
from search.registry.packaging.members import Members

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from search.study.plan import Plan

RECIPE = "it is the recipe's, not these weights'"


def describe_version(
    best: BestTrial, members: Members, packaged: Packaged, track_record: TrackRecord, gate: Gate
) -> str:
    """Markdown description of a version.

    Parameters
    ----------
    best : BestTrial
        The trial that it is made of.
    members : Members
        Its weights.
    packaged : Packaged
        What was logged of them.
    track_record : TrackRecord
        Its evidence.
    gate : Gate
        The gate's answer at registration.
    """
    spec, dates_D = best.spec, track_record.dates_D
    own_weights = members.as_is and not track_record.walked  # the trial's own, on its validation days
    lines = [
        f"**{question(spec.data.ticker, spec.target)}**",
        "",
        f"- architecture `{spec.architecture.label}`, {spec.n_params:,} parameters"
        + (f", over a frozen {spec.training.offset} baseline" if spec.training.offset != "none" else ""),
        f"- made of {best.trial.name}, one of {best.of} finished trials of budget {spec.budget}",
        f"- weights: {_weights(best, members)}",
        f"- trained on {len(members.train_rows):,} days through {packaged.trained_through}",
        f"- data: {spec.data.source} `{spec.data.ticker}`, tier `{spec.data.tier}`, dataset `{spec.data.dataset}`",
        f"- test split {spec.split.test_start} to {spec.split.test_end}: sealed, `patchscale evaluate` opens it",
        "- packaged model in a fresh process against the same weights before: "
        f"largest difference {packaged.difference:.1e}",
        f"- evidence, out of sample: {track_record.source}, {len(dates_D):,} days {dates_D[0].date()} to "
        f"{dates_D[-1].date()}" + ("" if own_weights else f"; {RECIPE}"),
        "",
        f"### Gate at registration: {'holds' if gate.holds else 'does not hold'}",
        "",
        "| condition | answer | figures |",
        "|---|---|---|",
        *(f"| {each.name} | {each.answer} | {each.words.replace('|', '/')} |" for each in gate.conditions),
    ]
    return "\n".join(lines)


def question(ticker: str, target: Target) -> str:
    """Question that a model answers, in words.

    Examples
    --------
    >>> question("SPY", Target(horizon=3))
    'Will the high of SPY reach +1 % within 3 sessions of the close?'
    >>> question("SPY", Target(horizon=1, threshold=0.0))
    'Will the high of SPY reach the close itself within 1 session of the close?'
    """
    days = "1 session" if target.horizon == 1 else f"{target.horizon} sessions"
    level = f"{target.threshold * 100:+g} %" if target.threshold else "the close itself"
    return f"Will the {target.rule} of {ticker} reach {level} within {days} of the close?"


def ensure_model(client: MlflowClient, plan: Plan) -> None:
    """Make the registered model of a plan's question, or say on one that was made by hand what it is asked."""
    tags = {"ticker": plan.data.ticker, "target": plan.target.name}
    asked = question(plan.data.ticker, plan.target)
    try:
        held = client.get_registered_model(plan.experiment)
    except MlflowException:
        client.create_registered_model(plan.experiment, tags=tags, description=asked)
        return
    for name, value in tags.items():
        if name not in held.tags:
            client.set_registered_model_tag(plan.experiment, name, value)
    if not held.description:
        client.update_registered_model(plan.experiment, asked)


def _weights(best: BestTrial, members: Members) -> str:
    if members.as_is:
        seeds = ", ".join(map(str, members.seeds))
        return f"the trial's own, of epoch {best.n_epochs}, seed{'s' if len(members.seeds) > 1 else ''} {seeds}"
    seeds = ", ".join(map(str, members.seeds))
    return f"{len(members.models)} refits on train and validation, {best.n_epochs} epochs each, seeds {seeds}, averaged"
