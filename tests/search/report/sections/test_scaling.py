import numpy as np
import pytest

from search.report.sections.scaling import scaling_section, sentence
from search.scaling import Points, scaling_of_points
from search.scaling.verdict import verdict_of


@pytest.fixture(scope="module")
def fitted():
    rng = np.random.default_rng(0)
    sizes = np.repeat([5e4, 2e5, 2e6], 8) * rng.uniform(0.8, 1.2, size=24)
    common = rng.uniform(-0.3, 0.3, size=400)
    losses = np.stack([0.4 + 2 * n**-0.3 + common + rng.uniform(-0.02, 0.02, size=400) for n in sizes])
    points = Points(
        budgets=("50K", "200K", "2M"),
        budget_T=np.repeat([0, 1, 2], 8),
        n_params_T=np.round(sizes),
        losses_TD=losses,
        names=tuple(f"S trial {number}" for number in range(24)),
    )
    return scaling_of_points(points, horizon=1, n_resamples=200)


def test_the_verdict_the_points_and_every_curve_are_shown(fitted, measured):
    section = scaling_section(fitted, measured)
    assert section.blocks[0].text == sentence(verdict_of(fitted))
    (figure,) = section.figures
    assert (figure.data["series"] == "trial").sum() == 24
    tables = {block.name: block for block in section.blocks if block.kind == "table"}
    assert [row[0] for row in tables["scaling_budgets"].rows] == ["50K", "200K", "2M"]
    assert len(tables["scaling_fits"].rows) == len(fitted.fits)
    drawn = set(figure.data["series"]) - {"trial"}
    assert drawn == {fit.name for fit in fitted.fits if not fit.problem}


@pytest.mark.lesson("L18")
@pytest.mark.lesson("L23")
def test_the_base_rate_and_the_smallest_change_stand_beside_the_losses(fitted, measured):
    section = scaling_section(fitted, measured)
    table = next(block for block in section.blocks if block.kind == "table")
    assert "base-rate loss" in table.head and f"{measured.base_rate_loss:.4f}" in table.rows[0]
    assert f"{fitted.detectable:.4f}" in table.caption


def test_a_fit_that_could_not_be_made_says_why(measured):
    (block,) = scaling_section("studies must share their offset.", measured).blocks
    assert block.text == "studies must share their offset."
