import json

import numpy as np
import pandas as pd

from search.registry.gate.collect import track_record_of_version
from search.registry.gate.decision import ask_gate, collect_track_record, decide, gate_tags
from search.registry.gate.gate import Condition, Gate, check_gate
from search.registry.packaging.best_trial import choose_trial
from search.registry.versions.aliases import FORCE, champion_of, move_champion
from search.registry.versions.versions import find_version
from search.walk_forward.runs import WalkForwardRun, walk_forward_params
from search.walk_forward.subject import Subject

MODEL = "patchscale-^GSPC-h1"


def gate(**answers):
    conditions = tuple(Condition(name=name, holds=holds, words="figures") for name, holds in answers.items())
    return Gate(source="constructed", conditions=conditions)


def test_a_gate_that_holds_moves_the_champion(shelf):
    shelf.add("m", 2)
    first = decide(shelf, find_version(shelf, "m/1"), gate(finite=True))
    assert first == "champion is now m/1 (the gate holds; the first)"
    assert decide(shelf, find_version(shelf, "m/2"), gate(finite=True)) == (
        "champion is now m/2 (the gate holds; before: m/1)"
    )
    assert json.loads(find_version(shelf, "m@champion").tags["champion.gate"])["how"] == "gate"


def test_failed_and_unknown_conditions_keep_it_and_are_named(shelf):
    shelf.add("m", 2)
    decide(shelf, find_version(shelf, "m/1"), gate(finite=True))
    said = decide(shelf, find_version(shelf, "m/2"), gate(finite=True, calibrated=False, better=None))
    assert said.startswith("champion stays m/1: not met are calibrated, better; --force REASON")
    assert int(champion_of(shelf, "m").version) == 1


def test_force_is_recorded_as_force_only_where_the_gate_does_not_hold(shelf):
    shelf.add("m", 2)
    assert "forced: why not" in decide(shelf, find_version(shelf, "m/1"), gate(finite=None), force="why not")
    assert "champion.force" in find_version(shelf, "m/1").tags
    assert "the gate holds" in decide(shelf, find_version(shelf, "m/2"), gate(finite=True), force="anyway")
    assert "champion.force" not in find_version(shelf, "m/2").tags


def test_tags_say_every_answer():
    assert gate_tags(gate(finite=True, calibrated=None)) == {
        "gate": "not met: calibrated",
        "gate.finite": "pass: figures",
        "gate.calibrated": "unknown: figures",
    }


def walk(study, seeds):
    """A walk-forward of the best trial, whose seeds forecast 0.1, 0.2 and so on."""
    subject = Subject(name="trial", spec=choose_trial(study).spec)
    dates = pd.bdate_range("2010-01-01", "2014-12-31")
    days = pd.DataFrame({"date": dates, "year": dates.year, "y": np.arange(len(dates)) % 4 == 0}).astype({"y": float})
    days = days.assign(p=0.2, **{f"p_seed{seed}": 0.1 * (seed + 1) for seed in range(seeds)})
    params = walk_forward_params(study, subject, (2010, 2014), seeds)
    WalkForwardRun.open(study, subject, params, []).conclude(days, pd.DataFrame({"year": [2010]}), {})


def test_a_version_is_judged_with_as_many_seeds_as_it_has_members(shop, study):
    walk(study, 3)
    for number, p in ((1, 0.1), (2, 0.15)):
        track_record = collect_track_record(shop, study.client, find_version(study.client, f"{MODEL}/{number}"))
        assert np.allclose(track_record.p_D, p)


def test_the_champion_is_held_to_what_its_study_says_now_and_else_to_what_is_stored(shop, study):
    client = study.client
    move_champion(client, MODEL, 1, how=FORCE, reason="first")
    challenger = track_record_of_version(client, find_version(client, f"{MODEL}/2"))
    assert ask_gate(shop, client, MODEL, challenger).conditions[4].figures["n_days"] == 503
    walk(study, 1)
    walked = collect_track_record(shop, client, find_version(client, f"{MODEL}/2"))
    stored = track_record_of_version(client, champion_of(client, MODEL))
    assert "days that both" in check_gate(walked, stored).conditions[4].words, (
        "the stored track record is of other days"
    )
    now = ask_gate(shop, client, MODEL, walked).conditions[4]
    assert now.figures["n_days"] == len(walked.dates_D) and now.answer == "fail"
    client.delete_run(choose_trial(study).trial.run_id)
    assert ask_gate(shop, client, MODEL, challenger).conditions[4].figures["n_days"] == 503
