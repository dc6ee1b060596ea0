import json
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.equal_cost import Arm, add_line, log_loss, main, table

ASKED = ["--budget", "5K", "--tier", "r25", "--offset", "none", "--trials", "2", "--epochs", "1", "--folds", "2"]
ASKED += ["--judged", "2", "--picks", "1", "--as-many", "--seeds", "1"]


def test_equal_seconds_count_what_was_pruned_and_the_first_trial_stands_in_any_case(tmp_path):
    finished = [SimpleNamespace(number=number, value=value) for number, value in ((0, 0.4), (2, 0.3), (3, 0.2))]
    study = SimpleNamespace(finished=lambda: finished)
    arm = Arm(study=study, runner=None, seconds=tmp_path / "seconds.jsonl", events=[])
    for number, seconds in enumerate((5.0, 2.0, 5.0, 5.0)):
        add_line(arm.seconds, {"number": number, "seconds": seconds})
    assert arm.costs.sum() == 17
    found = {seconds: [each.number for each in arm.within(seconds, 9)] for seconds in (3.0, 5.0, 11.9, 12.0, 99.0)}
    assert found == {3.0: [0], 5.0: [0], 11.9: [0], 12.0: [0, 2], 99.0: [0, 2, 3]}
    assert [each.number for each in arm.within(99.0, 2)] == [0, 2]


def test_the_table_has_a_row_for_each_way_that_was_judged():
    found = [{"seed": seed, "two years": 0.4 + seed / 10, "4 folds": 0.3, "random": np.nan} for seed in (0, 1)]
    expected = ["| two years | 0.4000 | 0.5000 | 0.4500 |", "| 4 folds | 0.3000 | 0.3000 | 0.3000 |"]
    assert table(found, [4]).splitlines()[2:] == expected
    assert log_loss(np.array([[1.0, 0.0], [0.5, 0.5]])) == pytest.approx(np.log(2))


@pytest.mark.slow
def test_studies_of_both_ways_are_judged_on_years_behind_them_and_gone_on_with(tmp_path, capsys):
    command = [*ASKED, "--out", str(tmp_path)]
    main(command)
    first = json.loads(capsys.readouterr().out.splitlines()[0])
    assert first["trials"] == 2 and first["2 folds, as many trials, seconds"] > 0
    assert all(0.2 < first[way] < 1.2 for way in ("two years", "2 folds", "2 folds, as many trials", "random"))
    judged = sorted(tmp_path.glob("judged/*.npy"))
    days = {len(np.load(each)[0]) for each in judged}
    assert len(days) == 1 and 490 < days.pop() < 510, "two years"
    lines = sorted(len(each.read_text().splitlines()) for each in tmp_path.glob("*.jsonl"))
    main(command)
    assert json.loads(capsys.readouterr().out.splitlines()[0]) == first, "nothing is trained again"
    assert sorted(len(each.read_text().splitlines()) for each in tmp_path.glob("*.jsonl")) == lines
