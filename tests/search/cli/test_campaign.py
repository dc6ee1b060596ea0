import json

import pytest

from search.cli.campaign import BUDGETS, HORIZONS
from search.study.request import HpoRequest


@pytest.mark.parametrize("code", [0, 1, 124])
def test_budgets_and_horizons_keep_their_order_and_the_rest_is_the_request(record, command, code):
    calls = record("search.hpo.campaign.run_campaign", code)
    assert command("campaign", "--budgets", "2M, 50K", "--horizons", "5,1", "--sampler", "gp")[0] == code
    assert calls == [((HpoRequest(sampler="gp"), ["2M", "50K"], [5, 1]), {})]


def test_an_empty_list_is_the_default_as_mlflow_passes_it(record, command):
    calls = record("search.hpo.campaign.run_campaign", 0)
    command("campaign", "--budgets", "", "--horizons", "", "--trials", "")
    assert calls == [((HpoRequest(), BUDGETS.split(","), [int(each) for each in HORIZONS.split(",")]), {})]


def test_a_dry_run_starts_nothing_and_its_json_stands_alone_on_the_output(record, command):
    started = record("search.hpo.campaign.run_campaign", 0)
    estimated = record("search.hpo.dry_run.estimate_campaign", [])
    record("search.hpo.dry_run.as_json", [{"study": "s"}])
    code, out, _ = command("campaign", "--dry-run", "--json", "--budgets", "50K", "--horizons", "1")
    assert (code, json.loads(out), started) == (0, [{"study": "s"}], [])
    assert estimated[0][0][1:3] == (["50K"], [1])


@pytest.mark.lesson("L34")
def test_json_without_a_dry_run_is_refused_with_both_remedies(home, command):
    code, out, err = command("campaign", "--json")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "add --dry-run" in err and "patchscale status --json" in err
