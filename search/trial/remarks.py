"""What a trial's note says beside its scores: its attention, and its distributions where it has them."""

from __future__ import annotations

from collections.abc import Mapping

from search.results.attention import ENTROPY, trial_remark
from search.tracking.artifacts import DISTRIBUTION

CRPS_METRIC, CLIMATOLOGY_METRIC = "best/crps", "best/crps_climatology"


def trial_remarks(metrics: Mapping[str, float]) -> list[str]:
    """One line each; what the record does not hold is left out.

    Parameters
    ----------
    metrics : mapping
        Of the trial's run.

    Examples
    --------
    >>> trial_remarks({"best/crps": 0.4123, "best/crps_climatology": 0.43})[0].partition(";")[0]
    "CRPS 0.412 % of the close, of the training days' reach in the day's sigma 0.430 %"
    """
    return [line for line in (trial_remark(metrics.get(ENTROPY)), _distribution_remark(metrics)) if line]


def _distribution_remark(metrics: Mapping[str, float]) -> str:
    if CRPS_METRIC not in metrics or CLIMATOLOGY_METRIC not in metrics:
        return ""
    return (
        f"CRPS {metrics[CRPS_METRIC]:.3f} % of the close, of the training days' reach in the day's sigma "
        f"{metrics[CLIMATOLOGY_METRIC]:.3f} %; `{DISTRIBUTION}` holds the distributions: the model's own, before any "
        "blend"
    )
