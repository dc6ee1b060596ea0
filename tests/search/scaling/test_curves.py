import numpy as np
import pytest

from search.scaling.curves import CONSTANT, LINE, N_PARAMETERS, POWER_LAW, U_SHAPE, Fit
from search.scaling.text import formula

SIZES = np.array([1e4, 1e6])


@pytest.mark.parametrize(
    ("name", "parameters", "losses", "words"),
    [
        (CONSTANT, {"E": 0.4}, [0.4, 0.4], "L = 0.4000"),
        (LINE, {"intercept": np.log(0.4), "slope": 0.0}, [0.4, 0.4], "log L = -0.9163 +0.0000·log N"),
        (POWER_LAW, {"E": 0.4, "A": 10.0, "alpha": 0.5}, [0.5, 0.41], "L = 0.4000 + 10·N^-0.500"),
        (
            U_SHAPE,
            {"loss": 0.4, "size": 1e5, "curvature": np.log(2) / np.log(10) ** 2},
            [0.8, 0.8],
            "log L = log 0.4000 + 0.13·log²(N / 1e+05)",
        ),
    ],
)
def test_a_curve_predicts_and_writes_its_formula(name, parameters, losses, words):
    fit = Fit(name=name, parameters=parameters, aicc=0.0, problem="")
    assert fit.predict(SIZES) == pytest.approx(losses)
    assert formula(fit) == words
    assert len(parameters) >= N_PARAMETERS[name]
