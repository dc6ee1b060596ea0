"""Whether the attention of finished trials looks anywhere at all: judged from the entropy that each recorded."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

ENTROPY = "attention/entropy"
"""Metric of every finished trial: entropy of its attention as a share of the uniform distribution's."""
UNIFORM = 0.98
"""Share of uniform's entropy from which attention is called uniform.

Of eight trials that recorded 0.98 to 0.9999, those that differ only in head count have losses that agree to the
fourth digit: their heads take a mean over the tokens, and how many take it changes nothing.  Where attention works the
same architectures record 0.80 to 0.93.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Attention:
    """What finished trials say of their attention.

    Parameters
    ----------
    n_trials : int
        Finished.
    entropies : tuple of float
        Of those that recorded one.
    """

    n_trials: int
    entropies: tuple[float, ...]

    @property
    def uniform(self) -> tuple[float, ...]:
        """Entropies of the trials whose attention is uniform."""
        return tuple(each for each in self.entropies if is_uniform(each))

    @property
    def decided_nothing(self) -> bool:
        """Whether head counts had no say in any trial that says so."""
        return bool(self.uniform) and len(self.uniform) == len(self.entropies)

    @property
    def words(self) -> str:
        """One line: how many are uniform, of how many, and what follows; empty without a finished trial.

        Examples
        --------
        >>> Attention(n_trials=8, entropies=(0.98, 0.9999, *[0.99] * 6)).words.partition(": ")[0]
        "attention is uniform in 8 of 8 trials (entropy 0.98 to 0.9999 of uniform's)"
        >>> Attention(n_trials=3, entropies=()).words
        'attention unknown: no record of 3 trials holds its entropy'
        """
        if not self.n_trials:
            return ""
        if not self.entropies:
            return f"attention unknown: no record of {_trials(self.n_trials)} holds its entropy"
        unknown = self.n_trials - len(self.entropies)
        more = f"; unknown in {unknown}, whose records hold no entropy" if unknown else ""
        uniform, of = self.uniform, f"{len(self.entropies)} trials" if len(self.entropies) > 1 else "1 trial"
        if not uniform:
            return f"attention is not uniform in any of {of} (entropy {_range(self.entropies)} of uniform's){more}"
        heads = "their head counts" if len(uniform) > 1 else "its head count"
        return (
            f"attention is uniform in {len(uniform)} of {of} (entropy {_range(uniform)} of uniform's): "
            f"{heads} decided nothing{more}"
        )


def attention_of(recorded: Sequence[float | None]) -> Attention:
    """Judge the entropies of finished trials; None where the record holds none.

    Examples
    --------
    >>> attention_of([0.9999, None, 0.91]).uniform
    (0.9999,)
    """
    return Attention(
        n_trials=len(recorded), entropies=tuple(each for each in recorded if each is not None and math.isfinite(each))
    )


def is_uniform(entropy: float) -> bool:
    """Whether an entropy is so near uniform's that the attention is a mean."""
    return entropy >= UNIFORM


def trial_remark(entropy: float | None) -> str:
    """Say of one trial what its attention does; empty where that is unknown.

    Examples
    --------
    >>> trial_remark(0.9999)
    "attention is uniform (entropy 0.9999 of uniform's): its head count decided nothing"
    """
    if entropy is None or not math.isfinite(entropy):
        return ""
    said = f"entropy {_written(entropy)} of uniform's"
    return (
        f"attention is uniform ({said}): its head count decided nothing"
        if is_uniform(entropy)
        else f"attention is not uniform ({said})"
    )


def _range(entropies: Sequence[float]) -> str:
    low, high = _written(min(entropies)), _written(max(entropies))
    return low if low == high else f"{low} to {high}"


def _written(entropy: float) -> str:
    """Write four decimals, cut off and not rounded: what stays below a whole or below the limit is shown so."""
    return f"{math.floor(min(entropy, 1.0) * 1e4 + 1e-6) / 1e4:g}"


def _trials(n: int) -> str:
    return f"{n} trials" if n > 1 else "1 trial"
