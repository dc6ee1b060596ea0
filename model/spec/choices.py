"""Words that settings of a spec may be, and how a blend is written; loaded without anything slow."""

from __future__ import annotations

NONE = "none"
OFFSETS = (NONE, "logistic", "boosting", "distribution_linear")
DISTRIBUTION_LINEAR = OFFSETS[-1]
NORMAL, FAN_IN = INITS = ("normal", "fan_in")
COSINE, FLAT = SCHEDULES = ("cosine", "flat")
WIDTH_RATES = (NONE, "fan_in")
BY_WIDTH = WIDTH_RATES[-1]
BLEND_RULE = f"{NONE}, or a baseline and its share between 0 and 1, as in boosting:0.5"


def read_blend(text: str) -> tuple[str, float] | None:
    """Baseline and share of a spec's ``blend``; None for ``none``, and for what is no blend.

    Examples
    --------
    >>> read_blend("boosting:0.5"), read_blend("none"), read_blend("boosting:2")
    (('boosting', 0.5), None, None)
    """
    name, _, share = text.partition(":")
    try:
        value = float(share)
    except ValueError:
        return None
    return (name, value) if name in OFFSETS[1:3] and 0 < value < 1 else None
