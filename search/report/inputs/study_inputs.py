"""What a page is made of, read from the record once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from io import BytesIO

import numpy as np
import pandas as pd

from model.spec.spec import Spec
from pipeline.exceptions import InputError, SealedError
from search.evidence import Forecasts, load_forecasts
from search.evidence.retrained import Retrained, load_retrained
from search.report.layout.format import short_name
from search.results.holdout import count_openings, count_openings_elsewhere
from search.results.influence import Influence, influence_of, influence_of_study
from search.results.trial_runs import RecordedTrial, recorded_trials
from search.results.weights import weights_in_words
from search.study.plan import Plan
from search.study.study import Study
from search.tracking.artifacts import DISTRIBUTION, read_artifact
from search.walk_forward.load import load_walk_forward

CODE, LIBRARY = ("git.commit", "git.dirty"), "version."


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyInputs:
    """A study as the record holds it.

    Parameters
    ----------
    plan : Plan
        What its trials share.
    target_trials, n_openings, n_openings_elsewhere : int
        How many trials it was to have, and how often its test split was opened.
    forecasts : Forecasts
        Of every finished trial and baseline, on the same days.
    specs : dict
        By run id, of the trials among the forecasts.
    curves : DataFrame
        Columns run_id, epoch, loss: validation loss of the same trials.
    code : dict
        Commit and whether the tree had changes, with the number of trials made by it.
    libraries : dict
        Versions that the trials were made with, several where they differ.
    walked : Forecasts, optional
        Of the walk-forwards of this study's data, target and split; None if there is none.
    distribution : DataFrame, optional
        Of the best trial, see :func:`search.trial.distribution.distribution_table`; None if it has none.
    influence : Influence
        Whether attention and each searched axis had a say in the loss.
    weights : str
        Whose weights are kept, and of how many trials they were let go on purpose.
    retrained : Retrained, optional
        Finalists with further seeds; None if there are none.
    walked_specs : dict
        Hash of the spec of each walk-forward among them, by run id.
    """

    plan: Plan
    target_trials: int
    n_openings: int
    n_openings_elsewhere: int
    forecasts: Forecasts
    specs: dict[str, Spec]
    curves: pd.DataFrame
    code: dict[str, int]
    libraries: dict[str, str]
    walked: Forecasts | None = None
    walked_specs: dict[str, str] = field(default_factory=dict)
    distribution: pd.DataFrame | None = None
    weights: str = ""
    retrained: Retrained | None = None
    influence: Influence = field(default_factory=lambda: influence_of([]))

    @property
    def name(self) -> str:
        """Of the study."""
        return self.plan.study

    @property
    def trials(self) -> Forecasts:
        """Of the trials alone."""
        return self.forecasts.of_role("trial")

    @property
    def baselines(self) -> Forecasts:
        """Of the baselines alone."""
        return self.forecasts.of_role("baseline")

    @property
    def trial_losses(self) -> pd.DataFrame:
        """Columns model, n_params, loss: the mean loss of every trial."""
        trials = self.trials
        return pd.DataFrame(
            {
                "model": trials.names,
                "n_params": np.array(trials.n_params, dtype=float),
                "loss": trials.losses_MD.mean(axis=1),
            }
        )

    @property
    def baseline_loss(self) -> float:
        """Mean loss of the best baseline."""
        return float(self.baselines.losses_MD.mean(axis=1).min())

    @property
    def opponent(self) -> str:
        """Short name of the best baseline."""
        return short_name(self.forecasts.names[self.forecasts.best("baseline")])

    def trial_specs(self) -> list[Spec]:
        """Of the trials, in the order of :attr:`trials`."""
        return [self.specs[run_id] for run_id in self.trials.run_ids]


def read_study_inputs(study: Study) -> StudyInputs:
    """Read everything that a page shows of a study.

    Raises
    ------
    PatchscaleError
        Of :func:`search.evidence.load_forecasts`: too few days, days of the sealed test, days that differ.
    """
    forecasts = load_forecasts(study)
    wanted = set(forecasts.of_role("trial").run_ids)
    all_trials = recorded_trials(study)
    recorded = [trial for trial in all_trials if trial.run_id in wanted]
    specs = {trial.run_id: trial.spec for trial in recorded if trial.spec is not None}
    assert set(specs) == wanted
    walked = _walked(study)
    return StudyInputs(
        plan=study.plan,
        target_trials=study.target_trials,
        n_openings=count_openings(study),
        n_openings_elsewhere=count_openings_elsewhere(study),
        forecasts=forecasts,
        specs=specs,
        curves=_curves(study, recorded),
        code=_code(recorded),
        libraries=_libraries(recorded),
        distribution=_distribution(study, forecasts.run_ids[forecasts.best("trial")]),
        influence=influence_of_study(study, all_trials),
        weights=weights_in_words(study, all_trials),
        retrained=load_retrained(study),
        walked=walked,
        walked_specs={} if walked is None else _walked_specs(study, walked.of_role("trial")),
    )


def _walked(study: Study) -> Forecasts | None:
    try:
        return load_walk_forward(study)
    except SealedError:
        raise
    except InputError:
        return None


def _distribution(study: Study, run_id: str) -> pd.DataFrame | None:
    held = read_artifact(study.client, study.client.get_run(run_id), DISTRIBUTION)
    return None if held is None else pd.read_parquet(BytesIO(held))


def _walked_specs(study: Study, walked: Forecasts) -> dict[str, str]:
    return {run_id: study.client.get_run(run_id).data.params["spec_hash"] for run_id in walked.run_ids}


def _curves(study: Study, recorded: Sequence[RecordedTrial]) -> pd.DataFrame:
    """Read the losses by epoch; an epoch that a resumed trial logged again counts once, as logged last."""
    rows = [
        {"run_id": trial.run_id, "epoch": point.step, "loss": point.value}
        for trial in recorded
        for point in study.client.get_metric_history(trial.run_id, "val/loss")
    ]
    frame = pd.DataFrame(rows, columns=["run_id", "epoch", "loss"])
    return frame.drop_duplicates(["run_id", "epoch"], keep="last").sort_values(["run_id", "epoch"], ignore_index=True)


def _code(recorded: Sequence[RecordedTrial]) -> dict[str, int]:
    said = Counter(
        f"{tags.get(CODE[0], 'unknown')[:12]}{' with changes' if tags.get(CODE[1]) == 'true' else ''}"
        for tags in (trial.run.data.tags for trial in recorded)
    )
    return dict(sorted(said.items()))


def _libraries(recorded: Sequence[RecordedTrial]) -> dict[str, str]:
    tags = [trial.run.data.tags for trial in recorded]
    names = sorted({name for each in tags for name in each if name.startswith(LIBRARY)})
    return {
        name.removeprefix(LIBRARY): " and ".join(sorted({each.get(name, "unknown") for each in tags})) for name in names
    }
