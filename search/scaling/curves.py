"""What loss may look like against size: constant, straight line, power law with a floor, U-shape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Groups = npt.NDArray[np.int64]

CONSTANT, LINE, POWER_LAW, U_SHAPE = "constant", "line", "power law", "U-shape"
N_PARAMETERS = {CONSTANT: 1, LINE: 2, POWER_LAW: 3, U_SHAPE: 3}


@dataclass(frozen=True, kw_only=True, slots=True)
class Fit:
    """One curve fitted to losses at sizes.

    Parameters
    ----------
    name : str
        ``constant``: ``L = E``; ``line``: ``log L = intercept + slope·log N``; ``power law``:
        ``L = E + A·N^-alpha``; ``U-shape``: ``log L = log loss + curvature·(log N - log size)²``.
    parameters : Mapping of str to float
        By the names above.
    aicc : float
        Akaike's criterion, corrected for few points; lower is better, differences alone mean something.
    problem : str
        Why this is not what its name says, for instance an upside-down U; empty if it is.

    Examples
    --------
    >>> fit = Fit(name="power law", parameters={"E": 0.4, "A": 1.0, "alpha": 0.5}, aicc=-100.0, problem="")
    >>> fit.predict(np.array([100.0, 10_000.0]))
    array([0.5 , 0.41])
    """

    name: str
    parameters: Mapping[str, float]
    aicc: float
    problem: str

    def predict(self, n_params: npt.ArrayLike) -> Array:
        """Give the loss, in nats a day, at parameter counts."""
        size, held = np.asarray(n_params, dtype=float), self.parameters
        if self.name == CONSTANT:
            return np.full(size.shape, held["E"])
        if self.name == LINE:
            return np.exp(held["intercept"] + held["slope"] * np.log(size))
        if self.name == POWER_LAW:
            return held["E"] + held["A"] * size ** -held["alpha"]
        return held["loss"] * np.exp(held["curvature"] * np.log(size / held["size"]) ** 2)
