"""What of the searched architecture had a say in the loss: attention, and each axis beside noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from search.results.attention import ENTROPY, Attention, attention_of
from search.results.axis_effects import AxisEffect, axis_effect
from search.results.seed_noise import SeedNoise, seed_noise
from search.results.trial_runs import RecordedTrial
from search.space.axes import WINDOW_AXES

if TYPE_CHECKING:
    from search.study.study import Study

FEED_FORWARD = "d_ff"
AXES = ("d_model", "n_layers", "n_heads", FEED_FORWARD)


@dataclass(frozen=True, kw_only=True, slots=True)
class Influence:
    """What had a say.

    Parameters
    ----------
    attention : Attention
        Of the finished trials.
    axes : tuple of AxisEffect
        Of every axis, and of those of the window in which trials differ; none without a finished trial.
    """

    attention: Attention
    axes: tuple[AxisEffect, ...] = ()

    @property
    def lines(self) -> list[str]:
        """Everything in words, one line an axis; ``d_ff`` is judged as a multiple of ``d_model``."""
        return [*filter(None, [self.attention.words]), *(f"{each.axis} {each.words}" for each in self.axes)]

    @property
    def note(self) -> str:
        """The same in one short line, for a table of many studies."""
        said = [self.attention.words] if self.attention.uniform or not self.attention.entropies else []
        alike: dict[str, list[str]] = {}
        for each in self.axes:
            alike.setdefault(each.words.partition(":")[0], []).append(each.axis)
        return "; ".join(filter(None, [*said, *(f"{', '.join(axes)}: {verdict}" for verdict, axes in alike.items())]))

    def to_dict(self) -> dict[str, Any]:
        """Return the form that ``patchscale status --json`` prints."""
        attention = self.attention
        return {
            "attention": {
                "trials": attention.n_trials,
                "known": len(attention.entropies),
                "uniform": len(attention.uniform),
                "lowest": min(attention.entropies, default=None),
                "highest": max(attention.entropies, default=None),
                "words": attention.words,
            },
            "axes": {each.axis: {k: v for k, v in asdict(each).items() if k != "axis"} for each in self.axes},
        }


def influence_of_study(study: Study, recorded: Sequence[RecordedTrial]) -> Influence:
    """Judge a study by the runs of its trials, as :func:`search.results.trial_runs.recorded_trials` reads them."""
    found = influence_of(recorded)
    return found if all(axis.p_value is None for axis in found.axes) else influence_of(recorded, seed_noise(study))


def influence_of(recorded: Sequence[RecordedTrial], noise: SeedNoise | None = None) -> Influence:
    """Judge the finished trials, each spec once."""
    specs = {
        trial.spec.hash: (trial, trial.spec.architecture)
        for trial in recorded
        if trial.finished and not trial.problem and trial.spec is not None
    }
    trials = list(specs.values())
    attention = attention_of([trial.run.data.metrics.get(ENTROPY) for trial, _ in trials])
    scored = [(trial.loss, shape) for trial, shape in trials if trial.loss is not None]
    losses = [loss for loss, _ in scored]
    values = {axis: [float(getattr(shape, axis)) for _, shape in scored] for axis in (*AXES, *WINDOW_AXES)}
    values = {axis: each for axis, each in values.items() if axis in AXES or len(set(each)) > 1}
    values[FEED_FORWARD] = [ff / d for ff, d in zip(values[FEED_FORWARD], values["d_model"], strict=True)]
    axes = tuple(axis_effect(axis, each, losses, noise) for axis, each in values.items()) if scored else ()
    return Influence(attention=attention, axes=axes)
