"""Loss against measured parameter count: what a bigger budget buys.

studies → points → scaling (curves, huber → fitting → resampling, intervals; selected) → result → verdict → text.
"""

from search.scaling.curves import Fit
from search.scaling.points import Points
from search.scaling.result import BudgetLoss, Scaling
from search.scaling.scaling import scaling_of_points
from search.scaling.studies import scaling_of

__all__ = ["BudgetLoss", "Fit", "Points", "Scaling", "scaling_of", "scaling_of_points"]
