"""What a legacy trial's architecture is known to be: stated, recovered with proof, or unknown."""

from __future__ import annotations

from dataclasses import dataclass

from model.spec.budget import Budget
from search.legacy.recover.grids import FEATURE_COUNTS, RATIOS, Match, grids_text, legacy_count, matches

STATED, UNKNOWN = "in the source", "unknown"
MAX_CANDIDATES = 12
DIMENSIONS = ("d_model", "n_layers", "n_heads", "d_ff", "n_params")


@dataclass(frozen=True, kw_only=True, slots=True)
class Stated:
    """Fields of an architecture as a source says them; None is absent.

    Parameters
    ----------
    budget : str, optional
        ``2M``, ``20M``, ``200M``, ``2B``.
    arch_idx : int, optional
        Position in some version of a list.
    d_model, n_layers, n_heads, d_ff, n_params : int, optional
        Dimensions and parameter count.
    d_ff_ratio : int, optional
        ``d_ff / d_model``.
    """

    budget: str | None = None
    arch_idx: int | None = None
    d_model: int | None = None
    n_layers: int | None = None
    n_heads: int | None = None
    d_ff: int | None = None
    n_params: int | None = None
    d_ff_ratio: int | None = None

    @property
    def dimensions(self) -> dict[str, int | None]:
        """Dimensions and parameter count by name."""
        return {name: getattr(self, name) for name in DIMENSIONS}


@dataclass(frozen=True, kw_only=True, slots=True)
class Resolved:
    """An architecture as far as it is known.

    Parameters
    ----------
    d_model, n_layers, n_heads, d_ff, n_params : int, optional
        None is unknown.
    n_heads_origin, d_ff_origin : str
        ``in the source``, ``recovered (…)`` or ``unknown``.
    grids : str
        Grids that reproduce everything that is known at this index; empty without a proof.
    candidates : str
        Head counts that an unknown one may be, and why; empty if there is nothing to say.
    untrusted : str
        Fields that the source states and that can't be trusted; empty if there are none.
    flags : tuple of str
        What a reader must know.
    """

    d_model: int | None = None
    n_layers: int | None = None
    n_heads: int | None = None
    d_ff: int | None = None
    n_params: int | None = None
    n_heads_origin: str = UNKNOWN
    d_ff_origin: str = UNKNOWN
    grids: str = ""
    candidates: str = ""
    untrusted: str = ""
    flags: tuple[str, ...] = ()


def resolve(stated: Stated) -> Resolved:
    """Work out what is known.

    ``n_heads`` is recovered only if every grid that reproduces width, depth and parameter count
    at this index has the same head count there; what the source states and the index contradicts
    is unknown, with both as candidates.
    """
    proofs = _proofs(stated)
    agreeing = [proof for proof in proofs if stated.n_heads in (None, proof.point.n_heads)]
    n_heads, n_heads_origin, candidates, flags = _heads(stated, proofs)
    d_ff, d_ff_origin, d_ff_flags = _feed_forward(stated)
    return Resolved(
        d_model=stated.d_model,
        n_layers=stated.n_layers,
        n_heads=n_heads,
        d_ff=d_ff,
        n_params=stated.n_params,
        n_heads_origin=n_heads_origin,
        d_ff_origin=d_ff_origin,
        grids=grids_text(agreeing) if _proven(stated, agreeing) else "",
        candidates=candidates,
        flags=(*flags, *d_ff_flags, *_count_flags(stated, d_ff)),
    )


def untrusted(stated: Stated, reason: str) -> Resolved:
    """Know nothing: the stated fields are kept as text only."""
    text = " ".join(f"{name}={value}" for name, value in stated.dimensions.items() if value is not None)
    heads = f"{stated.n_heads} (stated, not to be trusted)" if stated.n_heads is not None else ""
    return Resolved(candidates=heads, untrusted=text, flags=(f"architecture not to be trusted: {reason}",))


def _proofs(stated: Stated) -> list[Match]:
    if stated.arch_idx is None:
        return []
    return matches(stated.arch_idx, budget=stated.budget, **{**stated.dimensions, "n_heads": None})


def _proven(stated: Stated, proofs: list[Match]) -> bool:
    return bool(proofs) and None not in (stated.d_model, stated.n_layers, stated.n_params)


def _heads(stated: Stated, proofs: list[Match]) -> tuple[int | None, str, str, list[str]]:
    """Head count, where it is from, candidates, flags."""
    proven = _proven(stated, proofs)
    heads = {proof.point.n_heads for proof in proofs}
    flags = []
    if stated.arch_idx is not None and not proofs:
        flags.append(f"no known grid has this architecture at arch_idx {stated.arch_idx}")
    if stated.n_heads is not None:
        if proven and stated.n_heads not in heads:
            flags.append(f"n_heads={stated.n_heads} is stated, arch_idx {stated.arch_idx} says otherwise; unknown")
            return None, UNKNOWN, f"{stated.n_heads} (stated); {_candidates(proofs)}", flags
        return stated.n_heads, STATED, "", flags
    if proven and len(heads) == 1:
        return heads.pop(), f"recovered ({grids_text(proofs)})", "", flags
    return None, UNKNOWN, _candidates(proofs), flags


def _candidates(proofs: list[Match]) -> str:
    """Say which head counts are possible, each with its grids."""
    by_heads: dict[int, list[Match]] = {}
    for proof in proofs:
        by_heads.setdefault(proof.point.n_heads, []).append(proof)
    texts = [f"{heads} ({grids_text(found)})" for heads, found in sorted(by_heads.items())]
    return "; ".join(texts[:MAX_CANDIDATES])


def _feed_forward(stated: Stated) -> tuple[int | None, str, list[str]]:
    if stated.d_ff is not None:
        return stated.d_ff, STATED, []
    if stated.d_model is None:
        return None, UNKNOWN, []
    if stated.d_ff_ratio is not None:
        return stated.d_model * stated.d_ff_ratio, "d_model times d_ff_ratio", []
    if stated.n_layers is None or stated.n_params is None:
        return None, UNKNOWN, []
    fitting = [
        (stated.d_model * ratio, n_features)
        for n_features in FEATURE_COUNTS
        for ratio in RATIOS
        if _count(stated, stated.d_model * ratio, n_features) == stated.n_params
    ]
    if len(fitting) == 1:
        return fitting[0][0], f"recovered (parameter count, {fitting[0][1]} features)", []
    return None, UNKNOWN, [f"no d_ff gives {stated.n_params:,} parameters"] if not fitting else []


def _count_flags(stated: Stated, d_ff: int | None) -> list[str]:
    """Compare with the earlier study's count, or with its budget if there is no count."""
    if stated.d_model is None or stated.n_layers is None or d_ff is None:
        return []
    counts = [_count(stated, d_ff, n_features) for n_features in FEATURE_COUNTS]
    if stated.n_params is not None:
        fits = stated.n_params in counts or stated.d_ff is None
        return [] if fits else [f"{stated.n_params:,} parameters are stated, the dimensions give {counts[-1]:,}"]
    if stated.budget is None or any(Budget(text=stated.budget).allows(count) for count in counts):
        return []
    return [f"the dimensions give about {counts[-1]:,} parameters, outside budget {stated.budget} ±25 %"]


def _count(stated: Stated, d_ff: int, n_features: int) -> int:
    assert stated.d_model is not None and stated.n_layers is not None
    return legacy_count(n_features=n_features, d_model=stated.d_model, n_layers=stated.n_layers, d_ff=d_ff)
