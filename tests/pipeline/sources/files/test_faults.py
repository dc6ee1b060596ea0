from __future__ import annotations

from pipeline.sources.files.faults import SHOWN_FAULTS, Faults, quoted


def test_every_fault_is_named_up_to_a_number_and_the_rest_counted():
    faults = Faults()
    for number in range(SHOWN_FAULTS + 2):
        faults.add(f"fault {number}")
    said = faults.text()
    assert said.startswith(f"{SHOWN_FAULTS + 2} faults: fault 0; fault 1") and said.endswith("; and 2 more")


def test_a_long_cell_is_cut():
    assert len(quoted("x" * 500)) < 60
