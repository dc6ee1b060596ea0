"""The packaged model: weights, specs and facts in one directory; raw bars in, probabilities out.

``package.json`` holds the facts, ``members/0.safetensors`` and so on the models, each with
its own full spec; nothing is pickled.  The members' probabilities are averaged.

Shapes in names: N windows, T days of context, F features, D days.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from model.network.checkpoint import load_checkpoint, save_checkpoint
from model.network.forecast import rise_quantiles
from model.network.patchtst import PatchTST, predict_proba
from model.network.question import Question, asked_target
from model.serving.belonging import disagreement, other_features
from model.serving.ensemble import Ensemble
from model.serving.package_info import PackageFacts, facts_from_json
from model.serving.same_series import require_same_series
from model.spec.spec import Spec
from pipeline.datasets.raw_bars import REQUIRED, check_raw_bars, raw_columns, raw_features
from pipeline.exceptions import DataError, InputError, StoreError
from pipeline.snapshots.snapshot import write_atomically
from pipeline.tiers import tier_memory

PACKAGE = "package.json"
FORMAT = 1
DAYS = ("last", "all")
LAST, ALL = DAYS
SHARES = (0.05, 0.25, 0.5, 0.75, 0.95)
BATCH = 512
Array = npt.NDArray[np.float64]


def write_package(directory: Path, *, members: Sequence[tuple[Spec, PatchTST]], facts: PackageFacts) -> None:
    """Write a package into a directory, which is made.

    Parameters
    ----------
    directory : Path
        Where to.
    members : sequence of (Spec, PatchTST)
        Models of one dataset version, target and context length, for instance of several seeds.
    facts : PackageFacts
        From :func:`model.serving.package_info.package_facts`.

    Raises
    ------
    InputError
        If there is no member, they do not belong together, or their tier never forgets where its series started.
    """
    names = [member_name(number) for number in range(len(members))]
    require_members([spec for spec, _ in members], facts)
    for name, (spec, model) in zip(names, members, strict=True):
        save_checkpoint(directory / name, spec, model)
    write_facts(directory, len(members), facts)


def require_members(specs: Sequence[Spec], facts: PackageFacts) -> None:
    """Refuse models that can't make a package.

    Raises
    ------
    InputError
        As of :func:`write_package`.
    """
    if not specs:
        raise InputError("a package must hold at least one model, got none")
    problem = disagreement(specs, facts)
    if problem:
        raise InputError(f"a package must hold models of one kind, {problem}")
    tier_memory(facts.tier)


def member_name(number: int) -> str:
    """Where a package holds the checkpoint of its member of this number, from 0."""
    return f"members/{number}.safetensors"


def write_facts(directory: Path, n_members: int, facts: PackageFacts) -> None:
    """Write what a package says of itself; its members are checkpoints that somebody else puts beside it."""
    names = [member_name(number) for number in range(n_members)]
    text = json.dumps({"format": FORMAT, "members": names, "facts": asdict(facts)}, indent=1)
    write_atomically(directory / PACKAGE, lambda part: part.write_text(text, encoding="utf-8"))


@dataclass(frozen=True, kw_only=True)
class PackagedModel:
    """A model that takes raw bars.

    Parameters
    ----------
    members : tuple of PatchTST
        In evaluation mode.
    specs : tuple of Spec
        Of the members.
    facts : PackageFacts
        What the models were made from.
    """

    members: tuple[PatchTST, ...]
    specs: tuple[Spec, ...]
    facts: PackageFacts

    @classmethod
    def load(cls, directory: Path) -> PackagedModel:
        """Read a package, and refuse it where the feature code that runs here is not that of its training.

        Raises
        ------
        StoreError
            If the package can't be read, its parts do not belong together, or
            the features of this code are not those that it was trained on.
        RecordError
            If a member's spec is not whole.
        """
        try:
            content = json.loads((directory / PACKAGE).read_text(encoding="utf-8"))
            names, facts = list(content["members"]), facts_from_json(content["facts"])
            found = content["format"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StoreError(f"package {directory} can't be read ({error!r}); write it again") from error
        if found != FORMAT or not names:
            raise StoreError(f"package {directory} must be of format {FORMAT} with at least one member, got {found}")
        loaded = [load_checkpoint(directory / name) for name in names]
        specs = tuple(spec for spec, _ in loaded)
        problem = disagreement(specs, facts) or other_features(facts)
        if problem:
            raise StoreError(f"package {directory} must hold what it was trained as, {problem}")
        return cls(members=tuple(model for _, model in loaded), specs=specs, facts=facts)

    @property
    def spec(self) -> Spec:
        """Of the first member; the others differ in seed only, or in architecture and training."""
        return self.specs[0]

    @property
    def context_length(self) -> int:
        """Days that the model sees."""
        return self.spec.architecture.context_length

    @property
    def memory(self) -> int:
        """Sessions before a window, after which the start of the series no longer matters to its features."""
        return tier_memory(self.facts.tier)

    @property
    def required_days(self) -> int:
        """Sessions that a forecast of one day needs."""
        return self.memory + self.context_length

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that a caller has to send, in their usual order."""
        return (*REQUIRED, *raw_columns(self.facts.tier))

    def features(self, frame: pd.DataFrame) -> tuple[pd.DatetimeIndex, npt.NDArray[np.float32]]:
        """Sessions and features of the days that no longer depend on where the frame starts.

        Parameters
        ----------
        frame : DataFrame
            Raw bars, see :mod:`pipeline.datasets.raw_bars`.

        Returns
        -------
        DatetimeIndex, ndarray of shape (days, features)
            From session ``memory`` on.

        Raises
        ------
        DataError
            If the frame breaks a rule or is too short.
        """
        facts = self.facts
        bars, further = check_raw_bars(frame, ticker=facts.ticker, tier=facts.tier, accepted=facts.accepted)
        require_same_series(bars, facts)
        if len(bars) < self.required_days:
            raise DataError(
                f"a forecast needs at least {self.required_days} sessions ({self.memory} until indicators forget where "
                f"the series starts, and a context of {self.context_length}), got {len(bars)}; send a longer history"
            )
        x_DF = raw_features(bars, further, facts.tier, facts.ticker)[self.memory :]
        dates = pd.DatetimeIndex(bars.index[self.memory :])
        assert np.isfinite(x_DF).all(), "bars that keep the rules have finite features"
        return dates, x_DF

    def predict(
        self,
        frame: pd.DataFrame,
        days: str = LAST,
        horizon: float | None = None,
        threshold: float | None = None,
    ) -> pd.DataFrame:
        """Forecast from raw bars.

        Parameters
        ----------
        frame : DataFrame
            Raw bars, see :mod:`pipeline.datasets.raw_bars`: at least :attr:`required_days` sessions.
        days : {"last", "all"}
            The last session, or every session with enough history before it.
        horizon, threshold : float, optional
            What a distribution is asked: the probability of a rise of so much within so many sessions.  The study's
            own if not given, which is all that a binary head answers.

        Returns
        -------
        DataFrame
            ``date``, ``probability``, and what was asked: ``horizon`` in sessions, ``threshold`` as a fraction.

        Raises
        ------
        DataError
            If the frame breaks a rule or is too short.
        InputError
            If ``days`` is something else, or the model can't answer what is asked.
        """
        asked = self.asked(horizon, threshold)
        dates, x_DF = self._days(frame, days)
        return pd.DataFrame(
            {
                "date": dates,
                "probability": self.probabilities(x_DF, asked),
                "horizon": asked.horizon,
                "threshold": asked.threshold,
            }
        )

    def quantiles(self, frame: pd.DataFrame, days: str = LAST, horizon: float | None = None) -> pd.DataFrame:
        """Quantiles of how far the highest price rises within a horizon, from raw bars.

        Parameters
        ----------
        frame, days, horizon
            As of :meth:`predict`.

        Returns
        -------
        DataFrame
            ``date``, and a column a share of :data:`SHARES`: the rise, as a fraction of the close, that is not
            exceeded with that probability.

        Raises
        ------
        DataError
            If the frame breaks a rule or is too short.
        InputError
            If ``days`` is something else, the model does not forecast the horizon, or its head is binary.
        """
        if not self.horizons:
            raise InputError("quantiles must be asked of a distribution, got a binary head; take --head distribution")
        asked = self.asked(horizon)
        dates, x_DF = self._days(frame, days)
        return pd.DataFrame(self.rise_quantiles(x_DF, asked), columns=list(SHARES)).assign(date=dates)

    @property
    def horizons(self) -> tuple[int, ...]:
        """Sessions ahead that a distribution forecasts; none of a binary head."""
        return self.spec.architecture.ahead

    def asked(self, horizon: float | None = None, threshold: float | None = None) -> Question:
        """Read a question; what of it is not given is the study's own.

        Raises
        ------
        InputError
            If the model can't answer it.
        """
        target = asked_target(self.spec.target, self.horizons, horizon, threshold)
        return Question(horizon=target.horizon, threshold=target.threshold)

    def _days(self, frame: pd.DataFrame, days: str) -> tuple[pd.DatetimeIndex, npt.NDArray[np.float32]]:
        """Days to forecast, and the features that their windows see."""
        if days not in DAYS:
            raise InputError(f"days must be one of {', '.join(DAYS)}, got {days!r}")
        dates, x_DF = self.features(frame)
        if days == LAST:
            dates, x_DF = dates[-self.context_length :], x_DF[-self.context_length :]
        return dates[self.context_length - 1 :], x_DF

    @torch.inference_mode()
    def probabilities(self, x_DF: npt.NDArray[np.float32], asked: Question | None = None) -> Array:
        """Mean probability of the members for every day with a whole window, shape (days - context + 1,).

        Parameters
        ----------
        x_DF : ndarray of shape (days, features)
            Of :meth:`features`.
        asked : Question, optional
            From :meth:`asked`; the study's own if not given.
        """
        parts = [torch.cat([ensemble(part, asked) for ensemble in self._ensembles]) for part in self._windows(x_DF)]
        return predict_proba(torch.cat(parts, dim=1)).mean(0).numpy()

    @torch.inference_mode()
    def rise_quantiles(self, x_DF: npt.NDArray[np.float32], asked: Question) -> Array:
        """Quantiles of the members' mean distribution for every day with a whole window, shape (days, shares)."""
        parts = [
            rise_quantiles([each for e in self._ensembles for each in e.forecasts(part)], asked.horizon, SHARES)
            for part in self._windows(x_DF)
        ]
        return torch.cat(parts).numpy()

    def _windows(self, x_DF: npt.NDArray[np.float32]) -> tuple[torch.Tensor, ...]:
        """Windows of all days with a whole one, in parts."""
        return torch.tensor(x_DF).unfold(0, self.context_length, 1).transpose(1, 2).split(BATCH)

    @cached_property
    def _ensembles(self) -> list[Ensemble]:
        """Members of one architecture together."""
        kinds = dict.fromkeys(member.architecture for member in self.members)
        return [Ensemble([member for member in self.members if member.architecture == kind]) for kind in kinds]
