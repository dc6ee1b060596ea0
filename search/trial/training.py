"""The training of one trial: every part epoch by epoch, resumable after each, and what a fold says before the next."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import optuna
import pandas as pd

from model.evaluation import Evaluation
from model.metrics import evaluate
from model.network.attention_entropy import attention_entropy
from model.network.patchtst import PatchTST
from model.spec.spec import Spec
from model.training.execution import choose_execution
from model.training.resume import resume_training, save_training, saved_epoch, saved_part
from model.training.trainer import EpochResult, Trainer, build_model, predict_rows
from model.windows import Windows
from pipeline.datasets.dataset import DatasetVersion
from pipeline.exceptions import PatchscaleError, describe_error
from search.folds.forecast import Outcome
from search.folds.kept import keep_outcome, keep_table, kept_outcomes, kept_table
from search.results.attention import ENTROPY
from search.study.study import Study
from search.study.trial_run import SCORES, log_epoch
from search.tracking.run import RunWriter
from search.tracking.state import TrainingState
from search.tracking.tags import REACHED
from search.trial.distribution import crps_figures, distribution_table, join_distributions
from search.trial.files import log_checkpoint
from search.trial.parts import Part, trial_parts

Report = Callable[[dict[str, Any]], None]
BEST_EPOCH, SEED_COLUMN, CURVE = "best/epoch", "p_seed", "val/loss/"


class Interrupted(Exception):
    """The trial was asked to stop."""


class Pruned(Exception):
    """The trial is not worth going on with."""


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What the parts of a trial found together.

    Parameters
    ----------
    days : DataFrame
        Date, outcome and probability of every validation day; of several seeds their mean, and each one's as
        ``p_seed0`` and so on.
    distribution : DataFrame, optional
        Of the same days, see :func:`search.trial.distribution.distribution_table`.
    evaluation : Evaluation
        Of the probabilities of all days.
    figures : dict
        Further metrics.
    epochs : int
        Trained, of all parts.
    seconds : float
        They took.
    """

    days: pd.DataFrame
    distribution: pd.DataFrame | None
    evaluation: Evaluation
    figures: dict[str, float]
    epochs: int
    seconds: float


class TrialTraining:
    """Train the parts of a trial, one after another.

    A trial without folds and with one seed is one part, whose epochs are reported to the schedule and may be pruned.
    Of several parts each is kept in the run as it ends; what is reported then are the quarters of each fold.

    Parameters
    ----------
    study : Study
        The trial's.
    trial : Trial
        In the schedule.
    spec : Spec
        To train.
    record : RunWriter
        Of the trial's run.
    state : TrainingState
        What it goes on with after its last epoch.
    windows : Windows
        Of all validation days, on the device to train on.
    datasets : sequence of DatasetVersion
        The forecast ticker's, then those that are trained on beside it.
    report, should_stop : callable
        As in :class:`search.trial.runner.TrialRunner`.
    """

    def __init__(
        self,
        study: Study,
        trial: optuna.Trial,
        spec: Spec,
        record: RunWriter,
        state: TrainingState,
        windows: Windows,
        datasets: Sequence[DatasetVersion],
        *,
        report: Report,
        should_stop: Callable[[], bool],
    ) -> None:
        self.study, self.trial, self.spec, self.record, self.state = study, trial, spec, record, state
        self.windows, self.dataset = windows, datasets[0]
        self.report, self.should_stop = report, should_stop
        self.parts = trial_parts(spec, windows, datasets)
        self.is_resumed = trial.user_attrs.get("resume_run") == record.run_id
        self._most = spec.training.max_epochs
        self._tables: dict[str, pd.DataFrame] = {}
        self.model: PatchTST | None = None
        """Of a trial that is one training, once it has ended; of others the weights are in the run by then."""

    @property
    def is_several(self) -> bool:
        """Whether it is more than one training, or the one of a fold, whose quarters are reported, not its epochs."""
        return len(self.parts) > 1 or self.spec.n_folds > 0

    def run(self) -> Trained:
        """Train what is not kept yet, and put the parts together.

        Raises
        ------
        Interrupted, Pruned
            After an epoch, or a fold.
        PatchscaleError
            If training diverges.
        """
        client, run_id = self.study.client, self.record.run_id
        outcomes = kept_outcomes(client, run_id) if self.is_resumed and self.is_several else {}
        if self.is_resumed:
            self._fetch_state()
        for number, part in enumerate(self.parts):
            is_new = part.name not in outcomes
            if is_new:
                outcomes[part.name] = self._train(part, number)
            if part.number == self.spec.n_seeds - 1 and part.year is not None:
                self._after_fold(part, outcomes, is_new=is_new)
        return self._together(outcomes)

    def _fetch_state(self) -> None:
        refused = self.state.fetch(saved_epoch)
        if refused:
            self._say("resume.refused", refused)

    def _train(self, part: Part, number: int) -> Outcome:
        execution = choose_execution(part.spec, part.windows.x_NTF.device, rows=len(part.windows.x_DF))
        trainer = Trainer(part.spec, part.windows, build_model(part.spec, part.windows), execution)
        logged = self._resume(part, trainer) if self.is_resumed else {}
        losses = dict(logged)
        for epoch in trainer.epochs():
            losses[epoch.epoch] = epoch.validation.loss
            self._after_epoch(part, number, trainer, epoch, logged)
        return self._keep(part, trainer, losses)

    def _name(self, part: Part) -> str:
        return part.name if self.is_several else ""

    def _prefix(self, part: Part) -> str:
        return part.prefix(several_seeds=self.spec.n_seeds > 1)

    def _resume(self, part: Part, trainer: Trainer) -> dict[int, float]:
        """Go on after the last epoch that was saved; from the start if what was saved can't be used.

        Returns
        -------
        dict
            Losses by epoch that the run holds already: they are not logged twice.
        """
        path, name = self.state.path, self._name(part)
        if path.exists() and saved_part(path) in (name, None):
            try:
                resume_training(path, trainer, name)
                self._say("resume.after_epoch", f"{trainer.epoch} of {name}" if name else str(trainer.epoch))
            except PatchscaleError as error:
                path.unlink()
                self._say("resume.refused", describe_error(error))
        history = self.study.client.get_metric_history(self.record.run_id, f"{self._prefix(part)}val/loss")
        losses = {each.step: each.value for each in history}
        for epoch, loss in sorted(losses.items()) if not self.is_several else ():
            if trainer.epoch and epoch <= trainer.epoch:
                self.trial.report(loss, epoch)  # the pruner judges the trial as if it had not been interrupted
        return losses

    def _say(self, tag: str, text: str) -> None:
        self.study.client.set_tag(self.record.run_id, tag, text)

    def _after_epoch(
        self, part: Part, number: int, trainer: Trainer, result: EpochResult, logged: Container[int]
    ) -> None:
        before = number * self._most
        if self.is_several:
            self.trial.set_user_attr(REACHED, before + result.epoch)  # refused if the trial is not open any more
        else:
            self.trial.report(result.validation.loss, result.epoch)  # so is this
        if result.epoch not in logged:
            log_epoch(self.record, result, self._prefix(part))
        save = partial(save_training, trainer=trainer, part=self._name(part), before=before)
        self.state.save(save, before + result.epoch)
        of = self._most * len(self.parts)
        losses = {"loss": result.validation.loss, "base_rate_loss": result.validation.base_rate_loss}
        done = {"number": self.trial.number, "epoch": before + result.epoch, "of": of}
        self.report({"event": "epoch", **done, **losses})
        if self.should_stop():
            self.state.send()
            raise Interrupted
        if not self.is_several:
            self._prune()

    def _prune(self) -> None:
        if "forced" not in self.trial.user_attrs and self.trial.should_prune():
            raise Pruned

    def _keep(self, part: Part, trainer: Trainer, losses: Mapping[int, float]) -> Outcome:
        """Say what a part found, and keep it where there are several; the last fold's weights are the trial's."""
        model, days = trainer.model, part.windows.rows.validation
        figures = {
            **execution_figures(trainer),
            ENTROPY: float(attention_entropy(model, part.windows, days).mean()),
            BEST_EPOCH: trainer.best_epoch,
            **({f"{CURVE}{epoch}": loss for epoch, loss in losses.items()} if self.is_several else {}),
        }
        p = tuple(map(float, predict_rows(model, part.windows, days)))
        outcome = Outcome(n_epochs=trainer.epoch, seconds=trainer.seconds, p=p, figures=figures)
        if self.spec.architecture.ahead:
            self._tables[part.name] = distribution_table(model, part.windows, self.dataset, days)
        if not self.is_several:
            self.model = model
            return outcome
        client, run_id = self.study.client, self.record.run_id
        if part.year == self.parts[-1].year:
            log_checkpoint(self.record, part.spec, model, part.number)
        if part.name in self._tables:
            keep_table(client, run_id, part.name, self._tables[part.name])
        keep_outcome(client, run_id, part.name, outcome)
        return outcome

    def _of_fold(self, year: int | None) -> list[Part]:
        return [part for part in self.parts if part.year == year]

    def _after_fold(self, part: Part, outcomes: Mapping[str, Outcome], *, is_new: bool) -> None:
        """Log what a fold found, and ask the pruner, which looks at the quarters of all folds so far."""
        days = _days(self.dataset, self._of_fold(part.year), outcomes)
        if is_new:
            found = asdict(evaluate(days["y"].to_numpy(), days["p"].to_numpy()))
            self.record.log({f"fold/{part.year}/{name}": found[name] for name in SCORES})
        known_D = part.windows.outcomes(part.windows.rows.train)
        for quarter, loss in quarter_losses(days, float(known_D.mean())).items():
            self.trial.report(loss, quarter)
        if part.year != self.parts[-1].year:
            self._prune()

    def _together(self, outcomes: Mapping[str, Outcome]) -> Trained:
        found = [outcomes[part.name] for part in self.parts]
        folds = [self._of_fold(year) for year in dict.fromkeys(part.year for part in self.parts)]
        days = pd.concat([_days(self.dataset, fold, outcomes) for fold in folds], ignore_index=True)
        if self.is_several:
            self.record.log_curves({"val/loss": _mean_curve(found)})
        figures = {
            **{name: value for name, value in found[-1].figures.items() if not name.startswith(CURVE)},
            ENTROPY: float(np.mean([each.figures[ENTROPY] for each in found])),
            BEST_EPOCH: round(float(np.median([each.figures[BEST_EPOCH] for each in found]))),
            **_seed_figures(days),
        }
        distribution = None
        if self.spec.architecture.ahead:
            distribution = join_distributions([[self._table(part) for part in fold] for fold in folds])
            figures |= crps_figures(distribution, self.spec.target.horizon)
        return Trained(
            days=days,
            distribution=distribution,
            evaluation=evaluate(days["y"].to_numpy(), days["p"].to_numpy()),
            figures=figures,
            epochs=sum(each.n_epochs for each in found),
            seconds=sum(each.seconds for each in found),
        )

    def _table(self, part: Part) -> pd.DataFrame:
        held = self._tables.get(part.name)
        return kept_table(self.study.client, self.record.run_id, part.name) if held is None else held


def _days(dataset: DatasetVersion, fold: Sequence[Part], outcomes: Mapping[str, Outcome]) -> pd.DataFrame:
    """Date, outcome and probability of a fold's days; of several seeds their mean, and each one's."""
    windows = fold[0].windows
    rows = windows.rows.validation
    p_SD = np.array([outcomes[part.name].p for part in fold])
    each = {f"p_seed{part.spec.seed}": p_D for part, p_D in zip(fold, p_SD, strict=True)} if len(fold) > 1 else {}
    return pd.DataFrame({"date": dataset.dates[rows], "y": windows.outcomes(rows), "p": p_SD.mean(axis=0), **each})


def _seed_figures(days: pd.DataFrame) -> dict[str, float]:
    """Scores of each seed by itself, where there are several."""
    figures, y_D = dict[str, float](), days["y"].to_numpy()
    for name in days:
        if name.startswith(SEED_COLUMN):
            found = asdict(evaluate(y_D, days[name].to_numpy()))
            figures |= {f"seed/{name.removeprefix(SEED_COLUMN)}/{score}": found[score] for score in SCORES}
    return figures


def _mean_curve(found: Sequence[Outcome]) -> dict[int, float]:
    """Loss by epoch in the mean over the days of all parts, as far as all of them went."""
    curves = [
        {int(name.removeprefix(CURVE)): loss for name, loss in each.figures.items() if name.startswith(CURVE)}
        for each in found
    ]
    days = [len(each.p) for each in found]
    epochs = sorted(set.intersection(*(set(curve) for curve in curves)))
    return {epoch: float(np.average([curve[epoch] for curve in curves], weights=days)) for epoch in epochs}


def quarter_losses(days: pd.DataFrame, base_rate: float) -> dict[int, float]:
    """Mean log loss of each quarter, less that of always saying the base rate, which is the same for all trials.

    Parameters
    ----------
    days : DataFrame
        Date, outcome and probability of a fold's days.
    base_rate : float
        Of the days before the fold.

    Returns
    -------
    dict
        By quarter, numbered through: four times the year, plus 0 to 3.

    Examples
    --------
    >>> days = pd.DataFrame({"date": pd.to_datetime(["2016-01-04", "2016-04-01"]), "y": [1.0, 0.0], "p": [0.5, 0.25]})
    >>> {quarter: round(loss, 4) for quarter, loss in quarter_losses(days, 0.5).items()}
    {8064: 0.0, 8065: -0.4055}
    """
    y_D, dates = days["y"].to_numpy(), pd.DatetimeIndex(days["date"])
    less_D = _log_losses(y_D, days["p"].to_numpy()) - _log_losses(y_D, np.full(len(y_D), base_rate))
    quarter = dates.year * 4 + dates.quarter - 1
    means = pd.Series(less_D).groupby(np.asarray(quarter)).mean()
    return {int(number): float(value) for number, value in means.items()}


def _log_losses(y_D: npt.NDArray[np.float64], p_D: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    least = np.finfo(np.float64).eps
    return -np.log(np.clip(np.where(y_D > 0.5, p_D, 1 - p_D), least, 1.0))


def execution_figures(trainer: Trainer) -> dict[str, float]:
    """Memory as estimated, in bytes, and windows a micro-batch."""
    features = trainer.windows.x_DF
    estimated = trainer.execution.memory(trainer.spec, features.device, len(features)).total
    return {"memory/estimated_bytes": float(estimated), "execution/micro_batch": float(trainer.execution.micro_batch)}
