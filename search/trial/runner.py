"""One trial: one spec trained, one Optuna trial, one MLflow run."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import optuna
import pandas as pd
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import TrialState

from model.metrics import evaluate
from model.network.attention_entropy import attention_entropy
from model.network.checkpoint import save_checkpoint
from model.network.patchtst import PatchTST
from model.spec.spec import Spec
from model.training.device import choose_device
from model.training.execution import choose_execution
from model.training.memory import measured_peak, memory_in_use
from model.training.resume import resume_training, save_training, saved_epoch
from model.training.trainer import EpochResult, Trainer, build_model, predict_rows
from model.windows import Windows, make_windows
from pipeline.datasets.dataset import DatasetVersion
from pipeline.exceptions import PatchscaleError, describe_error
from search.results.attention import ENTROPY
from search.study.heartbeat import beating
from search.study.next_trial import ask, reuse_result, trial_spec
from search.study.study import Study
from search.study.trial_run import log_epoch, resume_trial, spec_attributes, start_trial, trial_result
from search.tracking.artifacts import DISTRIBUTION
from search.tracking.note import PREVIEW_DAYS, evaluation_note
from search.tracking.patience import as_lost, is_of_store
from search.tracking.run import RunWriter
from search.tracking.state import TrainingState
from search.trial.distribution import crps_figures, distribution_table
from search.trial.inputs import study_entities
from search.trial.remarks import trial_remarks

Report = Callable[[dict[str, Any]], None]


class Interrupted(Exception):
    """The trial was asked to stop."""


class Pruned(Exception):
    """The trial is not worth going on with."""


class Closed(Exception):
    """Somebody else ended the trial: its run is not ours any more."""


class TrialRunner:
    """Run trials of one study in this process.

    Whoever takes a study over ends the trials that it finds RUNNING.  So nothing is written to a run before the
    schedule has said that its trial is still open; else the trial is left alone, and so is its run.

    Parameters
    ----------
    study : Study
        Whose schedule is asked and told.
    dataset : DatasetVersion
        Of the forecast ticker.
    pooled : sequence of DatasetVersion, optional
        Of the tickers that are trained on beside it.
    device : str
        ``auto``, ``cpu`` or ``cuda``.
    report : callable
        Receives one dictionary an event: started, epoch, finished, reused, pruned, failed, interrupted, closed.
    should_stop : callable
        Asked after every epoch.
    """

    def __init__(
        self,
        study: Study,
        dataset: DatasetVersion,
        *,
        pooled: Sequence[DatasetVersion] = (),
        device: str,
        report: Report,
        should_stop: Callable[[], bool],
    ) -> None:
        self.study = study
        self.dataset, self.pooled = dataset, pooled
        self.device = choose_device(device)
        self.report = report
        self.should_stop = should_stop
        self.space = study.plan.space()
        self.memory_before = memory_in_use(self.device)

    def run_next(self) -> None:
        """Ask the schedule for a trial, train it, and tell both stores how it ended."""
        self.run(ask(self.study.schedule, self.space.distributions())._trial_id)

    def run(self, storage_id: int) -> None:
        """Do so with the trial of this id in the schedule, which somebody asked for."""
        self._begin(optuna.Trial(self.study.schedule, storage_id))

    def _begin(self, trial: optuna.Trial) -> None:
        self.report({"event": "started", "number": trial.number})
        with beating(self.study.schedule, trial):
            try:
                self._run(trial)
            except (Closed, UpdateFinishedTrialError):
                self.report({"event": "closed", "number": trial.number})

    def _run(self, trial: optuna.Trial) -> None:
        record: RunWriter | None = None
        try:
            spec = self._spec(trial)
            if self._reuse(trial, spec):
                return
            record = self._start_record(trial, spec)
            value = self._train(trial, spec, record)
        except Pruned:
            assert record is not None
            self._require_open(trial)
            record.interrupt("pruned")
            self._state(record).remove()
            self._end(trial, "pruned", TrialState.PRUNED)
        except Interrupted:
            assert record is not None
            self._require_open(trial)
            record.interrupt()
            trial.set_user_attr("stopped_by", "user")
            self._end(trial, "interrupted", TrialState.FAIL)
        except UpdateFinishedTrialError:
            raise
        except Exception as error:
            if is_of_store(error):
                raise as_lost(error) from error  # the trial stays RUNNING: it is closed as interrupted, and goes on
            self._require_open(trial)
            if record is not None:
                record.fail(error)
                self._state(record).remove()
            self._end(trial, "failed", TrialState.FAIL, error=describe_error(error))
        else:
            self.study.schedule.tell(trial, value)
            self.report({**trial.user_attrs["result"], "event": "finished", "number": trial.number})

    def _require_open(self, trial: optuna.Trial) -> None:
        if self.study.schedule._storage.get_trial(trial._trial_id).state != TrialState.RUNNING:
            raise Closed

    def _end(self, trial: optuna.Trial, end: str, state: TrialState, **facts: str) -> None:
        """Tell the schedule, then whoever listens, how a trial ended that has no result."""
        for name, value in {"end": end, **facts}.items():
            trial.set_user_attr(name, value)
        self.study.schedule.tell(trial, state=state)
        self.report({"event": end, "number": trial.number, **facts})

    def _reuse(self, trial: optuna.Trial, spec: Spec) -> bool:
        """Take over the result of an earlier trial of the same spec, if there is one."""
        event = reuse_result(self.study, trial.number, trial._trial_id, spec.hash)
        if event is not None:
            self.report(event)
        return event is not None

    def _spec(self, trial: optuna.Trial) -> Spec:
        spec = trial_spec(self.study, self.space, trial.params)
        for name, value in spec_attributes(spec).items():
            trial.set_user_attr(name, value)
        return spec

    def _start_record(self, trial: optuna.Trial, spec: Spec) -> RunWriter:
        earlier = trial.user_attrs.get("resume_run")
        resumed = earlier and resume_trial(self.study, earlier, trial.number, spec)
        if resumed:
            trial.set_user_attr("run_id", resumed.run_id)
            return resumed
        tags = {name: str(value) for name, value in trial.user_attrs.items() if name in ("forced", "retry_of")}
        record = start_trial(self.study, trial.number, spec, device=self.device.type, tags=tags)
        trial.set_user_attr("run_id", record.run_id)
        return record

    def _train(self, trial: optuna.Trial, spec: Spec, record: RunWriter) -> float:
        length = spec.architecture.context_length
        windows = make_windows(
            self.dataset,
            spec.target,
            spec.split,
            length,
            device=self.device,
            pooled=self.pooled,
            horizons=spec.architecture.ahead,
        )
        if trial.user_attrs.get("resume_run") != record.run_id:
            record.log_inputs(study_entities(self.study, self.dataset, self.pooled, windows))
        execution = choose_execution(spec, self.device, rows=len(windows.x_DF))
        trainer = Trainer(spec, windows, build_model(spec, windows), execution)
        state = self._state(record)
        logged = self._resume(trial, trainer, state, record)
        with measured_peak(self.device, self.memory_before) as peak:
            for epoch in trainer.epochs():
                self._after_epoch(trial, trainer, record, epoch, state, logged)
        model = trainer.model
        validation = self._predict_validation(model, windows)
        evaluation = evaluate(validation["y"].to_numpy(), validation["p"].to_numpy())
        figures = {
            **execution_figures(trainer, peak.value),
            ENTROPY: float(attention_entropy(model, windows, windows.rows.validation).mean()),
            "best/epoch": trainer.best_epoch,
            "n_epochs": trainer.epoch,
            "seconds": trainer.seconds,
        }
        table = None
        if spec.architecture.ahead:
            table = distribution_table(model, windows, self.dataset, windows.rows.validation)
            figures |= crps_figures(table, spec.target.horizon)
        result = trial_result(spec, asdict(evaluation), epochs=trainer.epoch, seconds=trainer.seconds)
        note = evaluation_note(asdict(evaluation), remarks=trial_remarks(figures))
        with TemporaryDirectory() as directory:
            write_artifacts(Path(directory), spec, model, validation, table)
            record.log_files(Path(directory))
        trial.set_user_attr("result", result)  # refused if the trial is not open any more
        record.conclude(evaluation, figures, note=note)
        state.remove()
        return evaluation.loss

    def _state(self, record: RunWriter) -> TrainingState:
        return TrainingState(self.study.client, record.run_id, self.study.training_state(record.run_id))

    def _resume(
        self, trial: optuna.Trial, trainer: Trainer, state: TrainingState, record: RunWriter
    ) -> Collection[int]:
        """Go on after the last epoch that was saved; from the start if what was saved can't be used.

        Returns
        -------
        collection of int
            Epochs that the run holds already: they are not logged twice.
        """
        if trial.user_attrs.get("resume_run") != record.run_id:
            return ()
        refused = state.fetch(saved_epoch)
        if state.path.exists():
            try:
                resume_training(state.path, trainer)
                self.study.client.set_tag(record.run_id, "resume.after_epoch", str(trainer.epoch))
            except PatchscaleError as error:
                state.path.unlink()
                refused = describe_error(error)
        if refused:
            self.study.client.set_tag(record.run_id, "resume.refused", refused)
        losses = {each.step: each.value for each in self.study.client.get_metric_history(record.run_id, "val/loss")}
        for epoch, loss in sorted(losses.items()):
            if trainer.epoch and epoch <= trainer.epoch:
                trial.report(loss, epoch)  # the pruner judges the trial as if it had not been interrupted
        return losses.keys()

    def _after_epoch(
        self,
        trial: optuna.Trial,
        trainer: Trainer,
        record: RunWriter,
        result: EpochResult,
        state: TrainingState,
        logged: Collection[int],
    ) -> None:
        trial.report(result.validation.loss, result.epoch)  # refused if the trial is not open any more
        if result.epoch not in logged:
            log_epoch(record, result)
        state.save(partial(save_training, trainer=trainer), result.epoch)
        most = trainer.spec.training.max_epochs
        losses = {"loss": result.validation.loss, "base_rate_loss": result.validation.base_rate_loss}
        self.report({"event": "epoch", "number": trial.number, "epoch": result.epoch, "of": most, **losses})
        if self.should_stop():
            state.send()
            raise Interrupted
        if "forced" not in trial.user_attrs and trial.should_prune():
            raise Pruned

    def _predict_validation(self, model: PatchTST, windows: Windows) -> pd.DataFrame:
        """Date, outcome and probability of every validation day."""
        rows = windows.rows.validation
        p = predict_rows(model, windows, rows)
        return pd.DataFrame({"date": self.dataset.dates[rows], "y": windows.outcomes(rows), "p": p})


def write_artifacts(
    directory: Path, spec: Spec, model: PatchTST, validation: pd.DataFrame, distribution: pd.DataFrame | None = None
) -> None:
    """Write ``spec.json``, ``best.safetensors``, ``predictions/val.parquet``, and a preview of its last days.

    Where there are distributions, they are written beside the probabilities.
    """
    (directory / "predictions").mkdir()
    (directory / "spec.json").write_text(json.dumps(spec.params(), indent=2), encoding="utf-8")
    save_checkpoint(directory / "best.safetensors", spec, model)
    validation.to_parquet(directory / "predictions" / "val.parquet", index=False)
    preview = validation.tail(PREVIEW_DAYS).round({"p": 4})
    if distribution is not None:
        distribution.to_parquet(directory / DISTRIBUTION, index=False)
    preview.to_csv(directory / "predictions" / "preview.csv", index=False)


def execution_figures(trainer: Trainer, peak: int | None) -> dict[str, float]:
    """Memory as estimated and as measured, in bytes, and windows a micro-batch; what is unknown is left out."""
    estimated = trainer.execution.memory(trainer.spec, len(trainer.windows.x_DF)).total
    micro_batch = trainer.execution.micro_batch
    figures = {"memory/estimated_bytes": float(estimated), "execution/micro_batch": float(micro_batch)}
    return figures if peak is None else {**figures, "memory/peak_bytes": float(peak)}
