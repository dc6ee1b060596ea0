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
from model.network.patchtst import PatchTST, predict_proba
from model.serving.ensemble import Ensemble
from model.serving.package_info import PackageFacts, facts_from_json
from model.spec.spec import Spec
from pipeline.datasets.raw_bars import REQUIRED, check_raw_bars, raw_columns, raw_features
from pipeline.exceptions import DataError, InputError, StoreError
from pipeline.snapshots.snapshot import write_atomically
from pipeline.tiers import find_tier, tier_code_version, tier_memory

PACKAGE = "package.json"
FORMAT = 1
DAYS = ("last", "all")
LAST, ALL = DAYS
BATCH = 512
LEAST_COMMON, LEAST_AGREEMENT = 60, 0.98
"""Days of training among the bars that tell whose they are, and the least rank correlation of returns there.

In years of 250 days from 1999 to 2024, SPY, DIA, QQQ, ^DJI and ^IXIC reach at most 0.979 with a series of another
index but QQQ with ^IXIC (up to 0.996), and ^DJI with its fund DIA 0.994 in the median; closes rounded to cents keep
0.9997.
"""

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
    if not members:
        raise InputError("a package must hold at least one model, got none")
    problem = _disagreement([spec for spec, _ in members], facts)
    if problem:
        raise InputError(f"a package must hold models of one kind, {problem}")
    tier_memory(facts.tier)
    names = [f"members/{number}.safetensors" for number in range(len(members))]
    for name, (spec, model) in zip(names, members, strict=True):
        save_checkpoint(directory / name, spec, model)
    text = json.dumps({"format": FORMAT, "members": names, "facts": asdict(facts)}, indent=1)
    write_atomically(directory / PACKAGE, lambda part: part.write_text(text, encoding="utf-8"))


def _disagreement(specs: Sequence[Spec], facts: PackageFacts) -> str:
    """Say what does not belong together; empty if all does."""
    first = specs[0]
    for spec in specs:
        for name in ("data", "target"):
            if getattr(spec, name) != getattr(first, name):
                return f"got members of different {name}: {getattr(first, name)} and {getattr(spec, name)}"
        if spec.architecture.context_length != first.architecture.context_length:
            lengths = (first.architecture.context_length, spec.architecture.context_length)
            return f"got members of context lengths {lengths[0]} and {lengths[1]}"
        if spec.architecture.n_features != len(facts.features):
            return f"got {len(facts.features)} features for members of {spec.architecture.n_features}"
    said = {
        "ticker": (facts.ticker, first.data.ticker),
        "tier": (facts.tier, first.data.tier),
        "dataset": (facts.dataset, first.data.dataset),
        "seeds": (facts.seeds, tuple(spec.seed for spec in specs)),
    }
    different = [
        f"{name} {fact} in its facts and {own} in its members" for name, (fact, own) in said.items() if fact != own
    ]
    return f"got {different[0]}" if different else ""


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
        problem = _disagreement(specs, facts) or _other_features(facts)
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
        _require_same_series(bars, facts)
        if len(bars) < self.required_days:
            raise DataError(
                f"a forecast needs at least {self.required_days} sessions ({self.memory} until indicators forget where "
                f"the series starts, and a context of {self.context_length}), got {len(bars)}; send a longer history"
            )
        x_DF = raw_features(bars, further, facts.tier, facts.ticker)[self.memory :]
        dates = pd.DatetimeIndex(bars.index[self.memory :])
        assert np.isfinite(x_DF).all(), "bars that keep the rules have finite features"
        return dates, x_DF

    def predict(self, frame: pd.DataFrame, days: str = LAST) -> pd.DataFrame:
        """Forecast from raw bars.

        Parameters
        ----------
        frame : DataFrame
            Raw bars, see :mod:`pipeline.datasets.raw_bars`: at least :attr:`required_days` sessions.
        days : {"last", "all"}
            The last session, or every session with enough history before it.

        Returns
        -------
        DataFrame
            ``date``, ``probability``, ``horizon`` in sessions, ``threshold`` as a fraction.

        Raises
        ------
        DataError
            If the frame breaks a rule or is too short.
        InputError
            If ``days`` is something else.
        """
        if days not in DAYS:
            raise InputError(f"days must be one of {', '.join(DAYS)}, got {days!r}")
        dates, x_DF = self.features(frame)
        if days == LAST:
            dates, x_DF = dates[-self.context_length :], x_DF[-self.context_length :]
        return pd.DataFrame(
            {
                "date": dates[self.context_length - 1 :],
                "probability": self.probabilities(x_DF),
                "horizon": self.spec.target.horizon,
                "threshold": self.spec.target.threshold,
            }
        )

    @torch.inference_mode()
    def probabilities(self, x_DF: npt.NDArray[np.float32]) -> Array:
        """Mean probability of the members for every day with a whole window, shape (days - context + 1,)."""
        x_NTF = torch.tensor(x_DF).unfold(0, self.context_length, 1).transpose(1, 2)
        parts = [torch.cat([ensemble(part) for ensemble in self._ensembles]) for part in x_NTF.split(BATCH)]
        return predict_proba(torch.cat(parts, dim=1)).mean(0).numpy()

    @cached_property
    def _ensembles(self) -> list[Ensemble]:
        """Members of one architecture together."""
        kinds = dict.fromkeys(member.architecture for member in self.members)
        return [Ensemble([member for member in self.members if member.architecture == kind]) for kind in kinds]


def _require_same_series(bars: pd.DataFrame, facts: PackageFacts) -> None:
    """Refuse bars that move otherwise than the model's own did on the last days of its training."""
    own = pd.Series(facts.closes, dtype=np.float64)
    own.index = pd.DatetimeIndex(own.index)
    both = pd.DataFrame({"own": own, "sent": bars["close"]}).dropna()
    moves = np.log(both).diff().dropna().rank()
    if len(moves) < LEAST_COMMON:
        return
    agreement = moves["own"].corr(moves["sent"])
    if agreement < LEAST_AGREEMENT:
        raise DataError(
            f"bars must be of {facts.ticker}, got others: on the {len(moves)} days from {both.index[1].date()} that "
            f"training knows too, their returns agree by {agreement:.2f} in rank, at least {LEAST_AGREEMENT:g} is the "
            "same series; send the model's own ticker"
        )


def _other_features(facts: PackageFacts) -> str:
    """How the features of the code that runs here differ from those trained on, in words; empty if they do not."""
    names = tuple(feature.name for feature in find_tier(facts.tier))
    if names != facts.features:
        return f"got features {', '.join(names)} in this code and {', '.join(facts.features)} in the package"
    here = tier_code_version(facts.tier)
    if here != facts.tier_code:
        return (
            f"got feature code {here} here (TA-Lib among it) and {facts.tier_code} in training; "
            "install the package's requirements and run the code that it carries"
        )
    return ""
