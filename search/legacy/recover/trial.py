"""A trial of an earlier study: what its source says, what follows from it, and nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from search.legacy.recover.architecture import Resolved

FINISHED, FAILED, KILLED = "FINISHED", "FAILED", "KILLED"
LOSS, ROC_AUC, UNNAMED = "loss", "roc_auc", "unknown"
SINGLE = "json trial"
FOREIGN = frozenset(("optuna", "table", "wandb", "ray", "mlflow"))


@dataclass(frozen=True, kw_only=True, slots=True)
class LegacyOutcome:
    """How a trial ended.

    Parameters
    ----------
    status : str
        MLflow's: ``FINISHED``, ``FAILED``, ``KILLED``.
    reason : str
        ``complete``, or why not.
    objective : str
        What ``value`` is: ``loss``, ``roc_auc``, or ``unknown`` where the source doesn't say.
    value : float, optional
        Finite; None if there is none or it is not finite.
    value_text : str
        The value as text where it can't be a metric: ``inf``, ``nan``, ``100.0``.
    """

    status: str
    reason: str
    objective: str = UNNAMED
    value: float | None = None
    value_text: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class LegacyTrial:
    """One trial; every None is absent in the source.

    Parameters
    ----------
    form : str
        Of the source: ``csv``, ``json list``, ``json study``, ``json log_recovery``, ``log A``, …
    where : str
        Place in the file, for people: ``line 7``.
    content : str
        Everything the source says of it, in canonical form: identity, and kept as a tag.
    start : str
        Digest of a log's start line; empty elsewhere. A finished trial replaces its own unfinished run by it.
    study, budget : str, optional
        As named in the source.
    horizon : int, optional
        Days ahead.
    number : int, optional
        Trial number.
    arch_idx : int, optional
        Kept as a tag: an index identifies nothing.
    architecture : Resolved
        Dimensions as far as known.
    training : Mapping
        ``learning_rate``, ``dropout``, … as far as stated.
    outcome : LegacyOutcome
        How it ended.
    figures : Mapping
        Further metrics: ``seconds``, ``n_epochs``, ``best/roc_auc``.
    notes : Mapping
        Further tags.
    flags : tuple of str
        What a reader must know.
    curves : Mapping
        Metrics by step: ``val/loss`` at each epoch.
    settings : Mapping
        Further params, under the names that the source gives them.
    started, ended : int, optional
        Milliseconds since 1970, where the source says them with their zone.
    direction : str
        ``minimize`` or ``maximize``, where the source or the user says it of the value.
    comparable : bool
        Whether it is known what the result is a result of; else it is kept, and out of comparisons.
    """

    form: str
    where: str
    content: str
    start: str = ""
    study: str | None = None
    budget: str | None = None
    horizon: int | None = None
    number: int | None = None
    arch_idx: int | None = None
    architecture: Resolved = field(default_factory=Resolved)
    training: Mapping[str, int | float | str] = field(default_factory=dict)
    outcome: LegacyOutcome
    figures: Mapping[str, float] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    curves: Mapping[str, Mapping[int, float]] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    started: int | None = None
    ended: int | None = None
    direction: str = ""
    comparable: bool = True

    @property
    def fingerprint(self) -> str:
        """SHA-256 over form, study and content: a file's name and place are no part of it."""
        return digest(self.form, self.study, self.content)

    @property
    def group(self) -> str:
        """What gets a parent run of its own in a file: a study; in a CSV, whose rows are studies, a horizon."""
        return f"h{self.horizon}" if self.form == "csv" else self.study or ""

    @property
    def all_flags(self) -> tuple[str, ...]:
        """Flags of the trial and of its architecture."""
        return (*self.flags, *self.architecture.flags)


def digest(*parts: str | None) -> str:
    """SHA-256 over texts, none of which can run into the next."""
    return hashlib.sha256(repr(parts).encode("utf-8", "backslashreplace")).hexdigest()
