"""Parameter budgets as users write them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from pipeline.exceptions import InputError

UNITS = {"": 1, "K": 10**3, "M": 10**6, "B": 10**9}
DEFAULT_TOLERANCE = 0.25
LARGEST, LONGEST = 10**15, 40
"""Most parameters, and most letters, of a budget."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    """A target parameter count and how far from it a model may be.

    Parameters
    ----------
    text : str
        As written by the user: ``2M``, ``350K``, ``1.5B``.
    tolerance : float
        Allowed deviation as a fraction of the target.

    Examples
    --------
    >>> budget = Budget(text="1.5M")
    >>> budget.n_params, budget.allows(1_200_000), budget.allows(1_000_000)
    (1500000, True, False)
    """

    text: str
    tolerance: float = DEFAULT_TOLERANCE

    def __post_init__(self) -> None:
        written = len(self.text) <= LONGEST and re.fullmatch(r"[0-9]+(\.[0-9]+)?[KMB]?", self.text)
        if not written or not 1 <= self.n_params <= LARGEST:
            raise InputError(
                "budget must be a number with K, M or B behind it (2M, 20M, 200M, 2B, 350K, 1.5B), at most 1000000B, "
                f"got {self.text!r}"
            )
        if not 0 < self.tolerance < 1:
            raise InputError(f"tolerance must be between 0 and 1 (0.25 is ±25 %), got {self.tolerance!r}")

    @property
    def n_params(self) -> int:
        """Target number of parameters."""
        unit = self.text[-1] if self.text[-1] in UNITS else ""
        return int(Decimal(self.text.removesuffix(unit)) * UNITS[unit])

    def allows(self, n_params: int) -> bool:
        """Whether a count lies within the tolerance."""
        return abs(n_params - self.n_params) <= self.tolerance * self.n_params
