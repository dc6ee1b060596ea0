"""The gate: what a version must show, out of sample, before it becomes champion.

Every condition is a rule with its figures.  What can't be measured is unknown,
and unknown does not pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.exceptions import InputError
from search.evidence.bootstrap import block_length, has_support, resampled_days
from search.evidence.difference import Difference, paired_difference
from search.evidence.scores import daily_losses
from search.evidence.superior import superior_predictive_ability
from search.evidence.text import difference_text
from search.registry.gate.calibration import LEVEL, TOLERANCE, calibration_of
from search.registry.gate.track_record import CommonDays, TrackRecord, common_days
from search.results.class_counts import counts_in_words

Array = npt.NDArray[np.float64]

SIZE = 0.05
MEAN_TOLERANCE = 0.02
"""Difference of mean probability and base rate that holds on any number of days."""
MIN_COMMON_DAYS = 200
N_RESAMPLES = 2000
ANSWERS = {True: "pass", False: "fail", None: "unknown"}
NAMES = ("finite", "calibrated", "beats the best baseline", "survives the search", "beats the champion")
FINITE, CALIBRATED, BASELINE, SEARCH, CHAMPION = NAMES


@dataclass(frozen=True, kw_only=True, slots=True)
class Condition:
    """One condition of the gate.

    Parameters
    ----------
    name : str
        ``finite``, ``calibrated``, ``beats the best baseline``, ``survives the search``, ``beats the champion``.
    holds : bool or None
        None is unknown.
    words : str
        What was measured, with the figures.
    figures : dict
        The same figures by name.
    """

    name: str
    holds: bool | None
    words: str
    figures: dict[str, Any] = field(default_factory=dict)

    @property
    def answer(self) -> str:
        """``pass``, ``fail`` or ``unknown``."""
        return ANSWERS[self.holds]


@dataclass(frozen=True, kw_only=True, slots=True)
class Gate:
    """The gate's answer.

    Parameters
    ----------
    source : str
        On what evidence.
    conditions : tuple of Condition
        Each of them must hold.
    """

    source: str
    conditions: tuple[Condition, ...]

    @property
    def holds(self) -> bool:
        """Whether every condition is known to hold."""
        return all(condition.holds is True for condition in self.conditions)

    @property
    def not_met(self) -> tuple[str, ...]:
        """Names of the conditions that do not hold, or are unknown."""
        return tuple(each.name for each in self.conditions if each.holds is not True)

    def lines(self) -> Iterator[str]:
        """One line a condition, below one that says what it stands on."""
        yield f"gate, on {self.source}:"
        for each in self.conditions:
            yield f"  {each.answer:<7}  {each.name}: {each.words}"

    def to_dict(self) -> dict[str, Any]:
        """Return everything, for the record."""
        conditions = [{**asdict(each), "answer": each.answer} for each in self.conditions]
        return {"source": self.source, "holds": self.holds, "conditions": conditions}


def check_gate(track_record: TrackRecord, champion: TrackRecord | None) -> Gate:
    """Ask every condition.

    Parameters
    ----------
    track_record : TrackRecord
        The version's forecasts, its opponents and the search that it comes from.
    champion : TrackRecord, optional
        The present champion's; None if there is none.
    """
    finite, y_D = _finite(track_record), track_record.on_unchosen().y_D
    if not finite.holds:
        others = _unknown(NAMES[1:], "not asked of forecasts that are not finite")
    elif not has_support(y_D):
        others = _unknown(NAMES[1:], f"{counts_in_words(len(y_D), int(y_D.sum()))} and no p-value")
    else:
        others = (
            _calibrated(track_record.on_unchosen()),
            _beats_baseline(track_record.on_unchosen()),
            _survives_search(track_record),
            beats_champion(track_record, champion),
        )
    return Gate(source=track_record.source, conditions=(finite, *others))


def unknown_gate(why: str) -> Gate:
    """Answer for a version whose evidence is gone: every condition is unknown.

    Examples
    --------
    >>> unknown_gate("the study was deleted").not_met == NAMES
    True
    """
    return Gate(source=f"no evidence: {why}", conditions=_unknown(NAMES, "the evidence is gone"))


def _unknown(names: Iterable[str], words: str) -> tuple[Condition, ...]:
    return tuple(Condition(name=name, holds=None, words=words) for name in names)


def _finite(track_record: TrackRecord) -> Condition:
    p_D = track_record.p_D
    broken = int((~(np.isfinite(p_D) & (p_D > 0) & (p_D < 1))).sum())
    words = f"{len(p_D) - broken:,} of {len(p_D):,} probabilities are finite and inside (0, 1)"
    return Condition(
        name=FINITE, holds=len(p_D) > 0 and not broken, words=words, figures={"days": len(p_D), "broken": broken}
    )


def _calibrated(track_record: TrackRecord) -> Condition:
    """Check the probabilities of the asked threshold and horizon.

    The shape by simulation, the mean by a block bootstrap of probability minus outcome. What is left of an outcome
    after a calibrated probability does not persist, so the wider interval of scores would only let wrong levels pass.
    """
    excess_D = track_record.p_D - track_record.y_D
    block = block_length(excess_D, track_record.horizon)
    days_RD = resampled_days(len(excess_D), block=block, n_resamples=N_RESAMPLES)
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(excess_D[days_RD].mean(axis=1), [tail, 1 - tail])
    shape = calibration_of(track_record.y_D, track_record.p_D, horizon=track_record.horizon)
    mean = bool(low <= 0 <= high or abs(excess_D.mean()) <= MEAN_TOLERANCE)
    words = (
        f"of {track_record.asked}: "
        f"calibration error {shape.ece:.4f}, calibrated probabilities of these days stay below {shape.limit:.4f} in "
        f"{LEVEL:.0%} of simulations, up to {TOLERANCE:g} is tolerated on any number of days; "
        f"mean probability {track_record.p_D.mean():.4f}, base rate {track_record.y_D.mean():.4f}, "
        f"difference {excess_D.mean():+.4f} [{low:+.4f}, {high:+.4f}] at {LEVEL:.0%}, "
        f"up to {MEAN_TOLERANCE:g} either way is tolerated"
    )
    figures = {
        "horizon": track_record.horizon,
        "threshold": track_record.threshold,
        "ece": shape.ece,
        "ece_limit": shape.limit,
        "ece_tolerance": TOLERANCE,
        "mean_probability": float(track_record.p_D.mean()),
        "base_rate": float(track_record.y_D.mean()),
        "mean_low": float(low),
        "mean_high": float(high),
        "mean_tolerance": MEAN_TOLERANCE,
    }
    return Condition(
        name=CALIBRATED, holds=None if shape.holds is None else shape.holds and mean, words=words, figures=figures
    )


def _beats_baseline(track_record: TrackRecord) -> Condition:
    if track_record.p_baseline_D is None:
        missing = track_record.baseline_missing or "no baseline on these days in the record; patchscale baselines STUDY"
        return Condition(name=BASELINE, holds=None, words=missing)
    found = paired_difference(
        track_record.y_D, track_record.p_D, track_record.p_baseline_D, horizon=track_record.horizon
    )
    return _compared(BASELINE, f"{track_record.baseline}, ", found)


def _survives_search(track_record: TrackRecord) -> Condition:
    if track_record.search_losses_MD is None or track_record.benchmark_losses_D is None:
        return Condition(name=SEARCH, holds=None, words="no trials and baseline on the same days in the record")
    losses_MD, benchmark_D = track_record.search_losses_MD, track_record.benchmark_losses_D
    best_D, p_value = _search_superiority(losses_MD, benchmark_D, track_record.horizon)
    words = (
        f"{_superiority_text(losses_MD, track_record.benchmark, p_value)}; best trial's log loss less its "
        f"{best_D.mean():+.4f}, {len(benchmark_D):,} days"
    )
    figures = {"p_value": p_value, "models": len(losses_MD), "days": len(benchmark_D), "best": float(best_D.mean())}
    return Condition(name=SEARCH, holds=p_value < SIZE, words=words, figures=figures)


def _search_superiority(losses_MD: Array, benchmark_D: Array, horizon: int) -> tuple[Array, float]:
    """Daily losses of the best trial less the benchmark's, and the p-value that no trial of the search beats it."""
    best_D = losses_MD[int(losses_MD.mean(axis=1).argmin())] - benchmark_D
    block = block_length(best_D, horizon)
    return best_D, superior_predictive_ability(losses_MD, benchmark_D, block=block).p_value


def _superiority_text(losses_MD: Array, benchmark: str, p_value: float) -> str:
    return (
        f"superior predictive ability of {len(losses_MD)} trials over {benchmark}, p {p_value:.4f} "
        f"(must be below {SIZE:g})"
    )


def beats_champion(track_record: TrackRecord, champion: TrackRecord | None) -> Condition:
    """Hold a version against the champion, on days that did not choose it or with its whole search.

    A walk-forward is compared on the days that did not choose the spec.  Validation days did choose it, as the
    best of many: there the search's trials together must be superior to the champion too (Hansen 2005).  In 200
    simulated searches of 50 trials as good as the champion, on 500 days, the best passed the paired test alone 107
    times and both tests 30 times.  That is still above the nominal 5 %: 500 days hold few blocks of a month, and
    with blocks of 5 days 16 passed.

    Parameters
    ----------
    track_record : TrackRecord
        The version's.
    champion : TrackRecord, optional
        None if there is none.
    """
    if champion is None:
        return Condition(name=CHAMPION, holds=True, words="there is none")
    own = track_record.on_unchosen()
    try:
        common = common_days(own, champion)
    except InputError as error:
        return Condition(name=CHAMPION, holds=None, words=str(error))
    if len(common.y_D) < MIN_COMMON_DAYS:
        words = (
            f"{len(common.y_D)} days that both forecast out of sample"
            f"{' and that did not choose the spec' if track_record.walked else ''}, at least {MIN_COMMON_DAYS} are "
            "needed"
        )
        return Condition(name=CHAMPION, holds=None, words=words, figures={"n_days": len(common.y_D)})
    found = paired_difference(common.y_D, common.p_a_D, common.p_b_D, horizon=track_record.horizon)
    paired = _compared(CHAMPION, f"{champion.name}, ", found)
    return paired if track_record.walked else _with_search(paired, track_record, common)


def _with_search(paired: Condition, track_record: TrackRecord, common: CommonDays) -> Condition:
    """Ask of a track record on the days that chose it that its search, every trial counted, beats the champion."""
    if track_record.search_losses_MD is None:
        words = f"{paired.words}; these days chose the spec, and its search's trials are not in the record"
        return replace(paired, holds=None, words=words)
    losses_MD = track_record.search_losses_MD[:, track_record.dates_D.get_indexer(common.dates_D)]
    champion_D = daily_losses(common.y_D, common.p_b_D)
    _, p_value = _search_superiority(losses_MD, champion_D, track_record.horizon)
    return replace(
        paired,
        holds=None if paired.holds is None else bool(paired.holds and p_value < SIZE),
        words=f"{paired.words}; these days chose the spec: {_superiority_text(losses_MD, 'the champion', p_value)}",
        figures={**paired.figures, "search_p_value": p_value, "models": len(losses_MD)},
    )


def _compared(name: str, opponent: str, found: Difference) -> Condition:
    """Turn a paired difference of log loss into a condition: below zero, and not by chance."""
    figures = {each: getattr(found, each) for each in ("value", "low", "high", "p_value", "detectable", "n_days")}
    return Condition(
        name=name,
        holds=None if np.isnan(found.p_value) else bool(found.value < 0 and found.p_value < SIZE),
        words=f"{opponent}{difference_text(found)}",
        figures=figures,
    )
