"""Part of the architecture's section: whether attention looks anywhere, and which axes change the loss beyond noise."""

from __future__ import annotations

from dataclasses import asdict

import pandas as pd

from search.report.layout.blocks import Block, Text
from search.report.layout.columns import count, make_table, number, text
from search.results.attention import UNIFORM
from search.results.axis_effects import MIN_AT_VALUE, MIN_TRIALS, SIGNIFICANT
from search.results.influence import Influence


def influence_blocks(influence: Influence) -> list[Block]:
    """Say what had a say in the loss; nothing where no trial finished."""
    attention = influence.attention
    if not attention.n_trials:
        return []
    caution = "caution" if attention.uniform else "plain"
    return [
        Text(lead="Attention.", text=f"{_sentence(attention.words)}. {_meaning()}", tone=caution),
        make_table(
            "axes",
            "Each searched axis beside noise. Decides: shuffled losses differ as much between its values in fewer than "
            f"{SIGNIFICANT * 100:g} % of cases (a test of Kruskal and Wallis), and by more than repeated seeds do, "
            f"where the record holds some. It takes {MIN_TRIALS} trials at values tried {MIN_AT_VALUE} times or "
            "more; with fewer it is unknown, which is not nothing. At equal size the axes hang together: what "
            "one decides another may. d_ff is taken as a multiple of d_model. All figures:",
            {
                "axis": text("axis"),
                "verdict": lambda row: row["words"].partition(":")[0],
                "trials": count("n_trials"),
                "values": count("n_values"),
                "medians apart": number("spread", 4),
                "scatter at a value": number("scatter", 4),
                "p": number("p_value", 3),
            },
            pd.DataFrame([asdict(each) for each in influence.axes]).astype(
                dict.fromkeys(("p_value", "spread", "scatter"), "float64")
            ),
        ),
    ]


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]


def _meaning() -> str:
    return (
        "The entropy of what a head looks at is measured beside that of looking at every token alike: from "
        f"{UNIFORM:g} of it on a head takes a mean, and so would any other number of heads."
    )
