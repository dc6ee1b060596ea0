"""Whose name is whose: ``n_heads=model.heads`` says where a field of ours stands in somebody else's record."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from pipeline.exceptions import InputError
from search.legacy.recover.build import SETTINGS

RESULTS = ("value", "val_loss", "val_auc")
ROLES = ("number", "study", "name", "state", "started", "ended", "seconds", "step", "id")
OURS = (*sorted(SETTINGS - {"arch_idx", "lr"}), "budget", "horizon", *RESULTS, *ROLES)


@dataclass(frozen=True, kw_only=True, slots=True)
class ColumnMap:
    """Fields of ours by the names that another tool gives them.

    Parameters
    ----------
    theirs : Mapping
        Their name, by ours.
    """

    theirs: Mapping[str, str] = field(default_factory=dict)

    def apply(self, everything: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
        """Give params our names; a mapped one may also stand among attributes or metrics."""
        settings = {ours: name for ours, name in self.theirs.items() if ours not in (*RESULTS, *ROLES)}
        mapped = {ours: found for ours, name in settings.items() if (found := look_up(everything, name)) is not None}
        taken = {_plain(name) for name in settings.values()}
        return {**{name: value for name, value in params.items() if _plain(name) not in taken}, **mapped}

    def results(self, *parts: Mapping[str, Any]) -> dict[str, Any]:
        """Results that the map finds among settings or attributes."""
        named = {ours: name for ours, name in self.theirs.items() if ours in RESULTS}
        everything = {name: value for part in parts for name, value in part.items()}
        return {ours: found for ours, name in named.items() if (found := look_up(everything, name)) is not None}

    def role(self, ours: str) -> str | None:
        """Their name of a role or result; None if the map does not say it."""
        return self.theirs.get(ours)

    def require_found(self, names: Collection[str], shown: str) -> None:
        """Refuse a map of which a name is in no trial.

        Raises
        ------
        InputError
            Naming the nearest names that there are.
        """
        plain = {_plain(name) for name in names}
        for ours, name in self.theirs.items():
            if _plain(name) not in plain:
                near = get_close_matches(name, names, n=3, cutoff=0.3) or sorted(names)[:8]
                raise InputError(
                    f"--map must name fields of the source, got {ours}={name}, which {shown} has not; nearest: "
                    f"{', '.join(near) or 'none'}"
                )


def read_map(texts: Sequence[str]) -> ColumnMap:
    """Read ``OURS=THEIRS`` texts.

    Raises
    ------
    InputError
        If one has no such form, ours is no field of this project, or is mapped twice.

    Examples
    --------
    >>> read_map(["n_heads=model.heads"]).theirs
    {'n_heads': 'model.heads'}
    """
    found: dict[str, str] = {}
    for text in texts:
        ours, mark, theirs = (part.strip() for part in text.partition("="))
        if not (ours and mark and theirs) or ours not in OURS:
            raise InputError(f"--map must be OURS=THEIRS with OURS one of {', '.join(OURS)}, got {text!r}")
        if found.setdefault(ours, theirs) != theirs:
            raise InputError(f"--map must give each field once, got {ours}={found[ours]} and {ours}={theirs}")
    return ColumnMap(theirs=found)


def look_up(record: Mapping[str, Any], name: str) -> Any:
    """Find a field by its name, whichever mark parts its levels; None if it is not there.

    Examples
    --------
    >>> look_up({"model/heads": 8}, "model.heads"), look_up({"model": {"heads": 4}}, "model.heads")
    (8, 4)
    """
    if name in record:
        return record[name]
    plain = _plain(name)
    for key, value in record.items():
        if _plain(key) == plain:
            return value
        if isinstance(value, Mapping) and plain.startswith(f"{_plain(key)}."):
            return look_up(value, plain.removeprefix(f"{_plain(key)}."))
    return None


def _plain(name: str) -> str:
    return name.replace("/", ".")
