"""The axes of the grid: which widths, depths, head counts, feed-forward ratios and windows are tried."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from model.spec.budget import Budget
from pipeline.exceptions import InputError
from search.space.counts import LARGEST

WIDTHS = (64, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048)
DEPTHS = (2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 160, 180, 192, 256)
HEADS = (2, 4, 8, 16, 32)
FEED_FORWARD_RATIOS = (2, 4)
SMALL_BUDGET = 1_000_000
SMALL_WIDTHS, SMALL_DEPTHS, SMALL_HEADS = (8, 16, 32), (1,), (1,)
MIN_HEAD_DIM = 8
AXIS_NAMES = ("d_model", "n_layers", "n_heads", "ff_ratio")
WINDOW_AXES = ("context_length", "patch_length", "stride")
ALL_AXES = (*AXIS_NAMES, *WINDOW_AXES)
EXAMPLES = dict(zip(ALL_AXES, ("64,128", "160,180", "4,8", "2,4", "20,30,60", "5,10", "5"), strict=True))


@dataclass(frozen=True, kw_only=True, slots=True)
class Axes:
    """Values of each axis; an empty one stands for the standard values of a budget.

    Parameters
    ----------
    d_model, n_layers, n_heads : tuple of int
        Widths, depths and head counts; kept in order of size, each once.
    ff_ratio : tuple of int
        Feed-forward width as a multiple of the width.
    context_length, patch_length, stride : tuple of int
        Days that a model sees, days in a patch, and days between the starts of two; an empty one stands for the value
        that all architectures have.
    min_head_dim : int
        Narrowest attention head, ``d_model / n_heads``.

    Examples
    --------
    >>> Axes(n_layers=(180, 160, 160)).n_layers
    (160, 180)
    """

    d_model: tuple[int, ...] = ()
    n_layers: tuple[int, ...] = ()
    n_heads: tuple[int, ...] = ()
    ff_ratio: tuple[int, ...] = ()
    context_length: tuple[int, ...] = ()
    patch_length: tuple[int, ...] = ()
    stride: tuple[int, ...] = ()
    min_head_dim: int = MIN_HEAD_DIM

    def __post_init__(self) -> None:
        for name in ALL_AXES:
            values = getattr(self, name)
            if not all(_is_positive(value) for value in values):
                raise InputError(f"{name} must be whole numbers, at least 1, got {values!r}")
            object.__setattr__(self, name, tuple(sorted(set(values))))
        if not _is_positive(self.min_head_dim):
            raise InputError(f"min_head_dim must be a whole number, at least 1, got {self.min_head_dim!r}")

    def of(self, budget: Budget) -> Axes:
        """Return the axes with every empty one filled that depends on the budget.

        Below 1M also with small widths, one layer and one head.

        Examples
        --------
        >>> axes = Axes(ff_ratio=(3,)).of(Budget(text="50K"))
        >>> axes.ff_ratio, axes.n_heads
        ((3,), (1, 2, 4, 8, 16, 32))
        """
        small = budget.n_params < SMALL_BUDGET
        return replace(
            self,
            d_model=self.d_model or (*(SMALL_WIDTHS if small else ()), *WIDTHS),
            n_layers=self.n_layers or (*(SMALL_DEPTHS if small else ()), *DEPTHS),
            n_heads=self.n_heads or (*(SMALL_HEADS if small else ()), *HEADS),
            ff_ratio=self.ff_ratio or FEED_FORWARD_RATIOS,
        )

    @property
    def asks_for_window(self) -> bool:
        """Whether an axis of the window is not empty."""
        return any(getattr(self, name) for name in WINDOW_AXES)

    def with_window(self, standard: Mapping[str, int]) -> Axes:
        """Return the axes with the empty ones of the window filled.

        Examples
        --------
        >>> Axes(stride=(5,)).with_window({"context_length": 60, "patch_length": 10, "stride": 10}).stride
        (5,)
        """
        filled: dict[str, Any] = {name: getattr(self, name) or (standard[name],) for name in WINDOW_AXES}
        return replace(self, **filled)


def axis_text(values: tuple[int, ...]) -> str:
    """Write an axis as users do: the inverse of :func:`read_axis`.

    Examples
    --------
    >>> axis_text((160, 180))
    '160,180'
    """
    return ",".join(map(str, values))


def read_axis(name: str, text: str) -> tuple[int, ...]:
    """Read an axis as users write it; empty is the standard one.

    Raises
    ------
    InputError
        If it is not a list of whole numbers.

    Examples
    --------
    >>> read_axis("n_layers", "160, 180"), read_axis("n_heads", "")
    ((160, 180), ())
    """
    try:
        values = tuple(map(int, text.split(","))) if text.strip() else ()
    except ValueError:
        values = (0,)
    if not all(_is_positive(each) and each <= LARGEST for each in values):
        most = f", at most {LARGEST:,}" if any(each > LARGEST for each in values) else ""
        raise InputError(
            f"{name} must be whole numbers, at least 1, separated by commas{most}, got {text!r}; for instance "
            f"--{name.replace('_', '-')} {EXAMPLES[name]}"
        )
    return values


def _is_positive(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
