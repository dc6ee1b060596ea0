import math

from hypothesis import given
from hypothesis import strategies as st

from search.tracking.note import evaluation_note


@given(st.floats(0.01, 2), st.floats(0.01, 2), st.integers(200, 5000), st.floats(0, 1))
def test_the_verdict_is_what_the_losses_say(loss, base, days, rate):
    said = evaluation_note(
        {"loss": loss, "base_rate_loss": base, "n_days": float(days), "base_rate": rate, "brier": 0.1}
    )
    assert said.startswith("**Better than" if loss < base else "**Not better than")
    assert f"log loss {loss:.4f} against {base:.4f}" in said and f"{days:,} validation days" in said
    assert "AUC undefined" in said and "patchscale baselines STUDY" in said and "nan" not in said
    undefined = {"loss": loss, "base_rate_loss": base, "n_days": days, "base_rate": rate, "roc_auc": math.nan}
    assert "AUC undefined, Brier score undefined" in evaluation_note(undefined, "boosting, log loss 0.3914")


def test_remarks_are_lines_and_empty_ones_are_left_out():
    scores = {"loss": 0.4, "base_rate_loss": 0.5, "n_days": 500.0, "base_rate": 0.2}
    plain, said = evaluation_note(scores), evaluation_note(scores, remarks=["attention is uniform", ""])
    assert said.replace("- attention is uniform\n", "") == plain and said != plain
