"""The architecture of a PatchTST and its exact parameter count."""

from __future__ import annotations

from dataclasses import dataclass, fields

from pipeline.exceptions import InputError

INSTANCE_NORMS = ("none", "revin")


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

    def __post_init__(self) -> None:
        if self.instance_norm not in INSTANCE_NORMS:
            raise InputError(f"instance_norm must be one of {', '.join(INSTANCE_NORMS)}, got {self.instance_norm!r}")
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name == "instance_norm":
                continue
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise InputError(f"{field.name} must be a whole number, at least 1, got {value!r}")
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

    @property
    def label(self) -> str:
        """Name by dimensions, as in ``d64-L48-h8-ff256``."""
        return f"d{self.d_model}-L{self.n_layers}-h{self.n_heads}-ff{self.d_ff}"

    @property
    def n_patches(self) -> int:
        """Tokens that the encoder sees."""
        return (self.context_length - self.patch_length) // self.stride + 1


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
    return {
        "embedding": (architecture.patch_length * architecture.n_features + 1) * d,
        "positions": architecture.n_patches * d,
        "attention": layers * (4 * d * d + 4 * d),
        "feed_forward": layers * (2 * d * d_ff + d_ff + d),
        "norms": layers * 4 * d + 2 * d,
        "head": architecture.n_patches * d + 1,
    }


def total_parameters(architecture: Architecture) -> int:
    """Total of :func:`count_parameters`."""
    return sum(count_parameters(architecture).values())
