"""The earlier study's grids, and what an index into one of them can prove.

Trials of that study stored ``arch_idx``, a position in a list that was edited twice (L2). The
list's three versions, each with 20 or 25 features, are rebuilt here; an index is evidence only
together with a version and a feature count that reproduce width, depth and parameter count.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from itertools import product
from typing import NamedTuple

WIDTHS = (64, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048)
HEADS = (2, 4, 8, 16, 32)
RATIOS = (2, 4)
DEPTHS = {
    "v1": (2, 3, 4, 6, 8, 12, 16, 24, 32, 48),
    "v2": (2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256),
    "v3": (2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 160, 180, 192, 256),
}
FEATURE_COUNTS = (20, 25)
BUDGETS = {"2M": 2_000_000, "20M": 20_000_000, "200M": 200_000_000, "2B": 2_000_000_000}
TOLERANCE = 0.25
PATCHES, PATCH_LENGTH, SPARE_POSITIONS = 11, 10, 10


class Point(NamedTuple):
    """An entry of a grid."""

    n_params: int
    d_model: int
    n_layers: int
    n_heads: int
    d_ff: int


class Match(NamedTuple):
    """A point that explains an index, and the grid it stands in."""

    version: str
    n_features: int
    point: Point


def legacy_count(*, n_features: int, d_model: int, n_layers: int, d_ff: int) -> int:
    """Parameters of the earlier study's model: positions are longer than ours; heads don't matter.

    Examples
    --------
    >>> legacy_count(n_features=25, d_model=64, n_layers=48, d_ff=256)
    2417473
    """
    layer = 4 * d_model**2 + 9 * d_model + 2 * d_model * d_ff + d_ff
    embedding = (PATCH_LENGTH * n_features + 1) * d_model + (PATCHES + SPARE_POSITIONS) * d_model
    return embedding + n_layers * layer + 2 * d_model + PATCHES * d_model + 1


@cache
def legacy_grid(version: str, n_features: int, budget: str) -> tuple[Point, ...]:
    """One version of the list, in its order: by count, then as nested.

    Examples
    --------
    >>> legacy_grid("v1", 20, "2M")[57]
    Point(n_params=2414273, d_model=64, n_layers=48, n_heads=8, d_ff=256)
    >>> legacy_grid("v3", 25, "2M")[57]
    Point(n_params=2415745, d_model=128, n_layers=12, n_heads=8, d_ff=512)
    """
    target = BUDGETS[budget]
    points = [
        Point(legacy_count(n_features=n_features, d_model=d, n_layers=n, d_ff=d * ratio), d, n, h, d * ratio)
        for d, n, h, ratio in product(WIDTHS, DEPTHS[version], HEADS, RATIOS)
        if d % h == 0
    ]
    return tuple(sorted((p for p in points if abs(p.n_params - target) <= TOLERANCE * target), key=lambda p: p[0]))


def matches(arch_idx: int, *, budget: str | None = None, **known: int | None) -> list[Match]:
    """Find every grid whose entry at this index agrees with what else is known.

    Parameters
    ----------
    arch_idx : int
        Position, counted from 0; a negative one matches nothing.
    budget : str, optional
        If it is not known, all four are searched.
    **known : int, optional
        Fields of :class:`Point`; None is unknown and excludes nothing.
    """
    found = []
    for version, n_features, name in product(DEPTHS, FEATURE_COUNTS, BUDGETS if budget is None else (budget,)):
        grid = legacy_grid(version, n_features, name) if name in BUDGETS else ()
        point = grid[arch_idx] if 0 <= arch_idx < len(grid) else None
        if point and all(value in (None, getattr(point, field)) for field, value in known.items()):
            found.append(Match(version, n_features, point))
    return found


def grids_text(found: Iterable[Match]) -> str:
    """Name the grids of matches.

    Examples
    --------
    >>> grids_text(matches(57, budget="2M", d_model=64, n_layers=48, n_params=2414273))
    'grid v1, 20 features'
    >>> grids_text(matches(60, budget="2M", d_model=64, n_layers=48, n_params=2417473))
    'grid v2/v3, 25 features'
    """
    versions: dict[int, list[str]] = {}
    for match in found:
        versions.setdefault(match.n_features, []).append(match.version)
    return " or ".join(f"grid {'/'.join(names)}, {n_features} features" for n_features, names in versions.items())
