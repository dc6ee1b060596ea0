import pytest

from search.scaling.result import NONE_FOUND, UNKNOWN
from search.scaling.scaling import scaling_of_points

SIZES = [1e4, 1e5, 1e6, 1e7]


@pytest.mark.parametrize("n_budgets", [1, 2, 3, 4])
def test_a_result_names_only_what_it_holds(simulated, n_budgets):
    found = scaling_of_points(simulated(0, sizes=SIZES[:n_budgets], gain=2.0), horizon=1, n_resamples=20)
    fitted = {fit.name for fit in found.fits if not fit.problem}
    assert all(found.fit(fit.name) is fit for fit in found.fits) and found.fit("no such curve") is None
    assert not fitted & {line.split(":")[0] for line in found.unfitted}
    assert found.chosen in (fitted if found.finding != UNKNOWN else {""})
    assert (found.change is None) == (found.detectable is None) == (found.finding == UNKNOWN)
    assert [each.budget for each in found.budgets] == list(found.points.budgets)


def test_noise_names_a_constant(simulated):
    found = scaling_of_points(simulated(0, sizes=SIZES), horizon=1, n_resamples=50)
    assert (found.finding, found.fit(found.chosen).name, found.lowest) == (NONE_FOUND, "constant", None)
