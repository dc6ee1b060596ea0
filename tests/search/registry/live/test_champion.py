"""Whose champion answers, by a registry of versions that hold nothing."""

from dataclasses import replace

import pytest

from pipeline.exceptions import InputError
from pipeline.splits.target import Target
from search.registry.live.champion import champion_for
from search.study.make_plan import make_plan
from search.study.request import HpoRequest
from search.study.study import open_or_create_study
from search.tracking.tags import STUDY

TICKER = "^GSPC"
BINARY, SHORT, LONG = "binary", "short", "long"
H1, H2, H3 = (f"patchscale-{TICKER}-{name}" for name in ("h1", "h2", "h3"))
HORIZONS = {BINARY: 1, SHORT: 1, LONG: 3}


@pytest.fixture
def promote(shelf, stores, planned):
    """``promote(study)``: a version of it becomes champion of its model; gives its name."""
    _, _, root = planned
    plain = HpoRequest(budget="5K", head="distribution", tier="s33")
    distribution, _ = make_plan(plain, root=root)
    plans = {BINARY: planned[0], SHORT: distribution, LONG: replace(distribution, target=Target(horizon=3))}
    for name, plan in plans.items():
        open_or_create_study(stores, replace(plan, study=name), trials=1, data_root=root)

    def promote(name, *, model="", ticker=TICKER):
        model = model or f"patchscale-{TICKER}-h{HORIZONS[name]}"
        shelf.add(model, 1, **{STUDY: name})
        shelf.set_registered_model_tag(model, "ticker", ticker)
        newest = max(int(each.version) for each in shelf.search_model_versions(f"name = '{model}'"))
        shelf.set_registered_model_alias(model, "champion", newest)
        return f"{model}/{newest}"

    return promote


def answers(stores, **target):
    found = champion_for(stores, TICKER, Target(**target))
    return f"{found.version.name}/{found.version.version}", found.why


@pytest.mark.slow
def test_the_target_s_own_comes_first_then_the_horizon_s_then_the_newest(stores, promote, shelf):
    with pytest.raises(InputError, match=r"must be one of the registry's, none, got .*; a study with --head dis"):
        answers(stores, horizon=1)
    promote(BINARY)
    assert answers(stores, horizon=1) == (f"{H1}/1", "")
    with pytest.raises(InputError, match=r"got '.*-h2'; .*; a study with --head distribution makes a model that is as"):
        answers(stores, horizon=2)
    promote(LONG)
    assert answers(stores, horizon=1) == (f"{H1}/1", ""), "a binary champion of exactly the target"
    assert answers(stores, horizon=2) == (
        f"{H3}/1",
        f"{H2} has no champion; {H3}/1 answers, a champion whose distribution forecasts 2 sessions",
    )
    promote(SHORT)
    assert answers(stores, horizon=1) == (f"{H1}/2", "")
    assert answers(stores, horizon=2)[0] == f"{H1}/2", "the newest of those of other horizons"
    found, why = answers(stores, horizon=3, threshold=0.02)
    assert found == f"{H3}/1", "of the same horizon before the newest"
    assert why.endswith("forecasts 3 sessions, first of 2 that do (same horizon, then newest)")
    with pytest.raises(
        InputError, match=f"no other champion forecasts that horizon .*{H1}/2 forecasts 1, 2, 3, 5".replace("^", r"\^")
    ):
        answers(stores, horizon=4)
    shelf.create_registered_model(H2)
    found, why = answers(stores, horizon=2)
    assert found == f"{H1}/2" and why.startswith(f"{H2} has no champion; ")


@pytest.mark.slow
def test_another_ticker_and_a_lost_study_answer_nothing(stores, promote, shelf):
    promote(SHORT, model="patchscale-SPY-h1", ticker="SPY")
    shelf.add(H1, 1, **{STUDY: "lost"})
    shelf.set_registered_model_tag(H1, "ticker", TICKER)
    shelf.set_registered_model_alias(H1, "champion", 1)
    with pytest.raises(InputError, match="a study with --head distribution"):
        answers(stores, horizon=3)
