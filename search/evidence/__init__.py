"""Evidence: what a study's forecasts are worth, with intervals, opponents and the number of tries counted.

scores → bootstrap → long_run → difference → superior, selection, overfitting → text; forecasts (of the record); power.
"""

from search.evidence.bootstrap import Interval, block_length, draw_days, has_support, metric_intervals, resampled_days
from search.evidence.difference import Difference, paired_difference
from search.evidence.forecasts import Forecasts, load_forecasts
from search.evidence.long_run import mean_interval, score_intervals
from search.evidence.overfitting import probability_of_overfitting
from search.evidence.power import PlannedPower, plan_power
from search.evidence.selection import Selection, selection_corrected
from search.evidence.superior import Superiority, model_confidence_set, superior_predictive_ability

__all__ = [
    "Difference",
    "Forecasts",
    "Interval",
    "PlannedPower",
    "Selection",
    "Superiority",
    "block_length",
    "draw_days",
    "has_support",
    "load_forecasts",
    "mean_interval",
    "metric_intervals",
    "model_confidence_set",
    "paired_difference",
    "plan_power",
    "probability_of_overfitting",
    "resampled_days",
    "score_intervals",
    "selection_corrected",
    "superior_predictive_ability",
]
