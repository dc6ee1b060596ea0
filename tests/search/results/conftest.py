from dataclasses import replace

import optuna
import pytest
from optuna.trial import TrialState, create_trial

from search.space.grid import AXES
from search.space.ranks import TRAINING
from search.study.study import TARGET_TRIALS

PARAMS = {name: each.choices[0] if hasattr(each, "choices") else each.low for name, each in TRAINING.items()}
FIGURES = {"epochs": 3, "base_rate_loss": 0.55, "skill": 0.1, "roc_auc": 0.6, "brier": 0.2, "seconds": 1.5}


@pytest.fixture
def scheduled(make_study):
    """``scheduled(0.4, "failed", None)``: a study whose trials finished with a loss, ended so, or wait."""

    def make(*ends, **attributes):
        study = replace(make_study(len(ends)), schedule=optuna.create_study())
        study.schedule.set_user_attr(TARGET_TRIALS, len(ends))
        grid = study.plan.grid().architectures
        for number, end in enumerate(ends):
            shape = grid[number % len(grid)]
            held = {**{axis: getattr(shape, axis) for axis in AXES}, **attributes}
            if isinstance(end, float):
                held["result"] = {**FIGURES, "label": shape.label, "n_params": 5000 + number, "loss": end}
                trial = create_trial(params=PARAMS, distributions=TRAINING, value=end, user_attrs=held)
            elif end is None:
                trial = create_trial(state=TrialState.WAITING)
            else:
                trial = create_trial(state=TrialState.FAIL, user_attrs={**held, "end": end})
            study.schedule.add_trial(trial)
        return study

    return make
