"""A refactor proves itself: digests, hashes and seeded losses are those of the code of 2026-11-25, to the last bit."""

import json
from pathlib import Path

import pytest

from tests.forking_commands import run
from tests.golden.measure_bits import measure

REFERENCE = Path(__file__).with_name("bits-2026-11-25.json")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def both():
    measured = json.loads(json.dumps(measure(run)))
    return json.loads(REFERENCE.read_text(encoding="utf-8")), measured


@pytest.mark.lesson("L36")
def test_grids_are_those_of_the_record(both):
    stored, measured = both
    assert measured["grids"] == stored["grids"]


@pytest.mark.lesson("L36")
def test_digests_spec_hashes_and_losses_are_those_of_the_record(both):
    """On another processor or with other libraries rounding differs, also in features, whose digest is in each hash."""
    stored, measured = both
    if measured["machine"] == stored["machine"]:
        assert measured["studies"] == stored["studies"]
        return
    for study, trials in stored["studies"].items():
        for number, trial in trials.items():
            other = measured["studies"][study][number]
            assert other["architecture"] == trial["architecture"], (study, number)
            for name in ("train/loss", "val/loss", "best/loss"):
                held = [float.fromhex(value) for value in trial[name]]
                assert [float.fromhex(value) for value in other[name]] == pytest.approx(held, rel=1e-3), (study, number)
