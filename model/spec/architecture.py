"""The architecture of a PatchTST and its exact parameter count."""

from __future__ import annotations

from dataclasses import dataclass, fields

from pipeline.exceptions import InputError

INSTANCE_NORMS = ("none", "revin")
BINARY, DISTRIBUTION = HEADS = ("binary", "distribution")
NO_HORIZONS = "none"
OUTPUTS_A_HORIZON = 9
"""Of a mixture of three logistic distributions: weight, location and scale of each."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Architecture:
    """Dimensions of a PatchTST encoder with a flatten head.

    Parameters
    ----------
    n_features : int
        Input channels, all mixed into each patch.
    context_length : int
        Days that the model sees, the forecast day the last of them.
    patch_length, stride : int
        Days in a patch, and between the starts of two patches.
    d_model, n_layers, n_heads, d_ff : int
        Width, depth, attention heads, feed-forward width.
    instance_norm : str
        ``none``, or ``revin``: each window's features are centred and scaled by their own
        mean and deviation over the window, which removes their level: the first half of RevIN (Kim et al., ICLR
        2022).  Nothing is de-normalised, the model's answer being a probability, not a value of the series.
    n_static : int
        Features of the forecast day alone; any make one more token, beside those of the patches.
    head : str
        ``binary``, one logit; or ``distribution``, for each horizon a mixture of three logistic distributions
        of how far the price goes.
    horizons : str
        Of a distribution, in days and in order, separated by blanks; ``none`` for a binary head.

    Examples
    --------
    >>> a = Architecture(n_features=25, d_model=64, n_layers=48, n_heads=8, d_ff=256)
    >>> a.label, a.n_patches
    ('d64-L48-h8-ff256', 11)
    """

    n_features: int
    context_length: int = 60
    patch_length: int = 10
    stride: int = 5
    d_model: int
    n_layers: int
    n_heads: int
    d_ff: int
    instance_norm: str = "none"
    n_static: int = 0
    head: str = BINARY
    horizons: str = NO_HORIZONS

    def __post_init__(self) -> None:
        self._require_head()
        if self.instance_norm not in INSTANCE_NORMS:
            raise InputError(f"instance_norm must be one of {', '.join(INSTANCE_NORMS)}, got {self.instance_norm!r}")
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in ("instance_norm", "head", "horizons"):
                continue
            least = 0 if field.name == "n_static" else 1
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise InputError(f"{field.name} must be a whole number, at least {least}, got {value!r}")
        if self.d_model % self.n_heads:
            raise InputError(
                f"n_heads must divide d_model, got n_heads={self.n_heads}, d_model={self.d_model}; "
                f"take one of {[h for h in (1, 2, 4, 8, 16, 32) if self.d_model % h == 0]}"
            )
        if self.patch_length > self.context_length:
            raise InputError(
                f"patch_length must not exceed context_length, got patch_length={self.patch_length}, "
                f"context_length={self.context_length}"
            )
        if self.stride > self.patch_length:
            raise InputError(
                f"stride must not exceed patch_length, or days between patches go unread, got stride={self.stride}, "
                f"patch_length={self.patch_length}"
            )

    def _require_head(self) -> None:
        """Refuse a head that is none, and horizons that do not go with it."""
        if self.head not in HEADS:
            raise InputError(f"head must be one of {', '.join(HEADS)}, got {self.head!r}")
        if self.head == BINARY and self.horizons != NO_HORIZONS:
            raise InputError(f"horizons must be {NO_HORIZONS} for a binary head, got {self.horizons!r}")
        if self.head == DISTRIBUTION:
            found = [int(each) for each in self.horizons.split() if each.isascii() and each.isdecimal()]
            if not found or 0 in found or " ".join(map(str, sorted(set(found)))) != self.horizons:
                raise InputError(
                    f"horizons must be days in order, each once, separated by blanks, got {self.horizons!r}; for "
                    "instance '1 2 3 5'"
                )

    @property
    def ahead(self) -> tuple[int, ...]:
        """Horizons of a distribution, in days; none for a binary head.

        Examples
        --------
        >>> sizes = {"n_features": 7, "d_model": 32, "n_layers": 2, "n_heads": 4, "d_ff": 64}
        >>> Architecture(**sizes, head="distribution", horizons="1 2 3 5").ahead
        (1, 2, 3, 5)
        """
        return () if self.horizons == NO_HORIZONS else tuple(map(int, self.horizons.split()))

    @property
    def n_outputs(self) -> int:
        """Numbers that the head gives."""
        return OUTPUTS_A_HORIZON * len(self.ahead) if self.ahead else 1

    @property
    def n_tokens(self) -> int:
        """Tokens that the encoder sees: patches, and one of static features where there are any."""
        return self.n_patches + (self.n_static > 0)

    @property
    def label(self) -> str:
        """Name by dimensions, as in ``d64-L48-h8-ff256``."""
        return f"d{self.d_model}-L{self.n_layers}-h{self.n_heads}-ff{self.d_ff}"

    @property
    def n_patches(self) -> int:
        """Patches of a window."""
        return (self.context_length - self.patch_length) // self.stride + 1

    @property
    def reads_every_day(self) -> bool:
        """Whether each day of the window is in a patch: the last patch ends with it, the first must begin with it.

        Examples
        --------
        >>> sizes = {"n_features": 7, "d_model": 32, "n_layers": 2, "n_heads": 4, "d_ff": 64}
        >>> Architecture(**sizes, stride=5).reads_every_day, Architecture(**sizes, stride=4).reads_every_day
        (True, False)
        """
        return (self.context_length - self.patch_length) % self.stride == 0

    def called(self, label: str) -> Architecture:
        """Return the same dimensions under the one of their two labels that a record gave them; itself if neither.

        Examples
        --------
        >>> a = Architecture(n_features=25, d_model=64, n_layers=48, n_heads=8, d_ff=256)
        >>> a.called("d64-L48-h8-ff256-c60p10s5").label, a.called("another").label
        ('d64-L48-h8-ff256-c60p10s5', 'd64-L48-h8-ff256')
        """
        dimensions = {each.name: getattr(self, each.name) for each in fields(self)}
        both = (kind(**dimensions) for kind in (Architecture, WindowedArchitecture))
        return next((each for each in both if each.label == label), self)


class WindowedArchitecture(Architecture):
    """An architecture of a study that searches the window: the same, but its label names the window too.

    Examples
    --------
    >>> WindowedArchitecture(n_features=25, d_model=64, n_layers=48, n_heads=8, d_ff=256).label
    'd64-L48-h8-ff256-c60p10s5'
    """

    __slots__ = ()

    @property
    def label(self) -> str:
        """Name by dimensions and window: context, patch length and stride."""
        return f"{super().label}-c{self.context_length}p{self.patch_length}s{self.stride}"


def count_parameters(architecture: Architecture) -> dict[str, int]:
    """Count parameters by group, in closed form.

    The total, ``sum(count_parameters(a).values())``, equals the count of the
    instantiated model.

    Examples
    --------
    >>> counts = count_parameters(Architecture(n_features=25, d_model=64, n_layers=48, n_heads=8, d_ff=256))
    >>> counts["attention"], sum(counts.values())
    (798720, 2416833)
    """
    d, layers, d_ff = architecture.d_model, architecture.n_layers, architecture.d_ff
    static = {"static": (architecture.n_static + 1) * d} if architecture.n_static else {}
    return {
        "embedding": (architecture.patch_length * architecture.n_features + 1) * d,
        **static,
        "positions": architecture.n_tokens * d,
        "attention": layers * (4 * d * d + 4 * d),
        "feed_forward": layers * (2 * d * d_ff + d_ff + d),
        "norms": layers * 4 * d + 2 * d,
        "head": (architecture.n_tokens * d + 1) * architecture.n_outputs,
    }


def total_parameters(architecture: Architecture) -> int:
    """Total of :func:`count_parameters`."""
    return sum(count_parameters(architecture).values())
