"""Studies of the code of 2026-11-25 say what of the architecture had no say: their records hold what it takes."""

import json

import pytest

from search.report.inputs.study_inputs import read_study_inputs
from search.report.sections.influence import influence_blocks
from search.report.sections.verdict import page_head
from search.report.statistics.measure import measure
from search.results.card import study_card
from search.results.trials_table import trials_table
from search.study.study import load_study
from search.tracking.stores import resolve_stores

SAID = "ttention is uniform in 3 of 3 trials (entropy 0.9999 of uniform's): their head counts decided nothing"


@pytest.mark.slow
@pytest.mark.lesson("L48")
def test_an_old_study_says_that_its_attention_is_uniform_on_status_card_and_report(golden_store, patchscale):
    directory = golden_store()
    assert f"note: complete: a{SAID}" in patchscale(directory, "status").replace("\n", " ")
    complete, interrupted = json.loads(patchscale(directory, "status", "--json"))
    assert complete["influence"]["attention"]["words"] == f"a{SAID}"
    assert interrupted["influence"]["attention"]["uniform"] == 1
    assert {axis["verdict"] for axis in complete["influence"]["axes"].values()} == {"unknown"}
    names = ("mlflow", "optuna")
    study = load_study(resolve_stores(*(f"sqlite:///{directory}/mlruns/{name}.db" for name in names)), "complete")
    assert f"- a{SAID}" in study_card(study, trials_table(study), "complete")
    inputs = read_study_inputs(study)
    text, table = influence_blocks(inputs.influence)
    assert text.text.startswith(f"A{SAID}. ")
    assert {row[1] for row in table.rows} <= {"unknown, too few trials", "unknown, one value tried"}
    cautions = page_head(inputs, measure(inputs.forecasts, n_resamples=100)).cautions
    assert f"A{SAID}." in cautions
