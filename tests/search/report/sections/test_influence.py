import numpy as np
import pytest

from search.report.sections.influence import influence_blocks
from search.results.attention import attention_of
from search.results.axis_effects import axis_effect
from search.results.influence import Influence, influence_of


@pytest.mark.lesson("L48")
def test_attention_and_axes_are_said_beside_their_noise():
    axes = (
        axis_effect("n_heads", [2, 4] * 15, np.linspace(0.4, 0.5, 30)),
        axis_effect("n_layers", [2, 4], [0.4, 0.5]),
    )
    text, table = influence_blocks(Influence(attention=attention_of([0.9999] * 8), axes=axes))
    assert text.tone == "caution"
    assert text.text.startswith(
        "Attention is uniform in 8 of 8 trials (entropy 0.9999 of uniform's): their head counts"
    )
    assert [row[:2] for row in table.rows] == [
        ("n_heads", "nothing beyond noise"),
        ("n_layers", "unknown, too few trials"),
    ]
    assert table.rows[1][-3:] == ("unknown",) * 3
    assert table.data["words"].str.startswith(("nothing", "unknown")).all()


def test_attention_that_works_is_no_caution_and_without_trials_nothing_is_shown():
    found = influence_blocks(Influence(attention=attention_of([0.9]), axes=(axis_effect("n_heads", [2], [0.4]),)))
    assert found[0].tone == "plain"
    assert influence_blocks(influence_of([])) == []
