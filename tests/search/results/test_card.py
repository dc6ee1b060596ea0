import pytest

from search.results.card import BEST_SHOWN, STATE, study_card, update_card
from search.results.trials_table import trials_table
from search.study.study import WORKED
from search.tracking import artifacts
from search.tracking.tags import NOTE


def card_of(study):
    return study_card(study, trials_table(study), "interrupted")


def test_the_card_asks_the_question_and_says_where_the_study_stands(scheduled):
    study = scheduled(0.45, "failed", None)
    text, plan = card_of(study), study.plan
    assert text.startswith(f"## {plan.study}\n\n**interrupted: 1 of 3 trials finished.**")
    assert f"Will the high of {plan.data.ticker} reach +1 % within 1 day(s) of the close?" in text
    for words in (plan.grid_hash, plan.data.dataset, f"train {plan.split.train_start} to ", "never opened"):
        assert words in text


def test_the_time_of_work_is_said_where_it_is_known(scheduled):
    study = scheduled(0.45)
    assert "worked on for unknown time" in card_of(study)
    study.schedule.set_user_attr(WORKED, 53.2)
    assert "worked on for at least 54 s; the run's own duration counts the pauses" in card_of(study)


@pytest.mark.lesson("L18")
def test_the_best_stand_first_beside_the_base_rate_and_are_called_optimistic(scheduled):
    losses = [0.5 - i / 100 for i in range(BEST_SHOWN + 2)]
    text = card_of(scheduled(*losses))
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| ") and "trial" not in line]
    assert [row[3] for row in rows] == [f"{loss:.4f}" for loss in sorted(losses)[:BEST_SHOWN]]
    assert {row[4] for row in rows} == {"0.5500"}
    assert f"The best of {len(losses)} trials on the days it was chosen on: an optimistic figure." in text


def test_without_a_finished_trial_there_is_no_table(scheduled):
    text = card_of(scheduled(None, "failed"))
    assert "0 of 2 trials finished" in text and "|" not in text and "optimistic" not in text


def test_artifacts_are_weighed_or_said_to_lie_elsewhere(scheduled, monkeypatch):
    study = scheduled(0.4)
    study.client.log_text(study.run_id, "x" * 2_000, "note.txt")
    size = artifacts.artifact_bytes([study.client.get_run(study.run_id)])
    assert size >= 2_000 and f"({size:,} bytes)" in card_of(study)
    monkeypatch.setattr(artifacts, "_directory", lambda run: None)
    assert "artifacts of all its runs: unknown, they lie in a store of their own" in card_of(study)


def test_a_card_written_anew_keeps_the_state_of_the_run(scheduled):
    study = scheduled(0.4)
    for state in ("complete", "stopped by timeout"):
        study.client.set_tag(study.run_id, STATE, state)
        update_card(study)
        assert f"**{state}: 1 of 1 trials" in study.client.get_run(study.run_id).data.tags[NOTE]


@pytest.mark.slow
@pytest.mark.lesson("L48")
def test_the_card_says_what_of_the_architecture_had_a_say(make_trained):
    study = make_trained(2, 2)
    text = study_card(study, trials_table(study), "complete")
    said = text.partition("What of the architecture had a say in the loss:\n\n")[2].splitlines()
    assert said[0].startswith("- attention is") and "of 2 trials (entropy 0." in said[0]
    assert [line.split()[1] for line in said[1:]] == ["d_model", "n_layers", "n_heads", "d_ff"]
    assert all(" unknown, " in line for line in said[1:])
