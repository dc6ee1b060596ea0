"""Section: the finalists, trained again with further seeds, and the claim that is made on them."""

from __future__ import annotations

import pandas as pd

from search.evidence.retrained import Claim, Retrained, claim_against
from search.report.inputs.study_inputs import StudyInputs
from search.report.layout.blocks import Section, Text
from search.report.layout.columns import make_table, number, text
from search.report.layout.format import fixed, p_text, plural, short_name, with_interval


def finalists_section(inputs: StudyInputs, found: Retrained) -> Section:
    """Show every finalist's loss by seed and together, and hold the winner against the best baseline."""
    baseline = inputs.forecasts.p_MD[inputs.forecasts.best("baseline")]
    claim = claim_against(found, baseline, horizon=inputs.forecasts.horizon)
    frame = pd.DataFrame(
        {
            "finalist": found.names,
            "together": found.losses_M,
            **dict(zip(found.titles, found.losses_SM, strict=True)),
        }
    ).iloc[found.order]
    columns = {name: text(name) if name == "finalist" else number(name, 4) for name in frame}
    each = "each seed" if found.seeds_each == 1 else f"the mean of each {found.seeds_each} that were one trial"
    caption = f"Log loss on the days that chose the finalists, of all seeds' mean probability and of {each}."
    blocks = (
        Text(lead="The claim.", text=claim_in_words(found, claim, inputs.opponent)),
        make_table("finalists", caption, columns, frame, mark=lambda row: row["finalist"] == frame["finalist"].iloc[0]),
    )
    return Section(slug="finalists", title="The finalists, with further seeds", short="Finalists", blocks=blocks)


def claim_in_words(found: Retrained, claim: Claim, opponent: str) -> str:
    """Say who won among how many, by how much, and whether the days can tell it from the best baseline."""
    winner = int(found.order[0])
    low, high = claim.interval.low, claim.interval.high
    if low != low:
        told = "Days of a class are too few for an interval."
    elif high < 0:
        told = f"So it beats {opponent} on these days, which also chose it."
    else:
        told = f"These days do not show that it beats {opponent}."
    return (
        f"Of {plural(len(found.names), 'finalist')}, trials that the model confidence set at 90 % does not tell from "
        f"the best, each trained with {found.n_models} seeds, {short_name(found.names[winner])} has the lowest log "
        f"loss, {fixed(float(found.losses_M[winner]), 4)}: {with_interval(claim.interval, 4, sign=True)} less "
        f"{opponent}'s, with the choice among finalists counted, {p_text(claim.p_value)}. {told} The test of "
        "all trials together stands under its own heading."
    )
