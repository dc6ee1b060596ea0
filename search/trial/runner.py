"""One trial: one spec trained, one Optuna trial, one MLflow run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import TrialState

from model.spec.spec import Spec
from model.training.device import choose_device, kind_of
from model.training.memory import measured_peak, memory_in_use
from model.windows import make_windows
from pipeline.datasets.dataset import DatasetVersion
from pipeline.exceptions import describe_error
from search.folds.kept import forget_folds
from search.study.heartbeat import beating
from search.study.next_trial import ask, reuse_result, trial_spec
from search.study.study import Study
from search.study.trial_run import resume_trial, spec_attributes, start_trial, trial_result
from search.tracking.note import chosen_in_words, evaluation_note
from search.tracking.patience import as_lost, is_of_store
from search.tracking.run import RunWriter
from search.tracking.state import TrainingState
from search.tracking.tags import DEVICE, DEVICE_NAME
from search.trial.files import log_files
from search.trial.inputs import study_entities
from search.trial.remarks import trial_remarks
from search.trial.training import Interrupted, Pruned, Report, TrialTraining


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
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
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
        named = {DEVICE_NAME: kind_of(self.device).name(self.device)}
        earlier = trial.user_attrs.get("resume_run")
        resumed = earlier and resume_trial(self.study, earlier, trial.number, spec)
        if resumed:
            trial.set_user_attr("run_id", resumed.run_id)
            resumed.set_tags({DEVICE: self.device.type, **named})
            return resumed
        tags = {name: str(value) for name, value in trial.user_attrs.items() if name in ("forced", "retry_of")}
        record = start_trial(self.study, trial.number, spec, device=self.device.type, tags={**tags, **named})
        trial.set_user_attr("run_id", record.run_id)
        return record

    def _train(self, trial: optuna.Trial, spec: Spec, record: RunWriter) -> float:
        windows = make_windows(
            self.dataset,
            spec.target,
            spec.split,
            spec.architecture.context_length,
            device=self.device,
            pooled=self.pooled,
            horizons=spec.architecture.ahead,
        )
        datasets, state = (self.dataset, *self.pooled), self._state(record)
        told: Any = {"report": self.report, "should_stop": self.should_stop}
        training = TrialTraining(self.study, trial, spec, record, state, windows, datasets, **told)
        if not training.is_resumed:
            record.log_inputs(study_entities(self.study, self.dataset, self.pooled, windows))
        with measured_peak(self.device, self.memory_before) as peak:
            found = training.run()
        figures = {**found.figures, "n_epochs": found.epochs, "seconds": found.seconds}
        if peak.value is not None:
            figures["memory/peak_bytes"] = float(peak.value)
        scores = asdict(found.evaluation)
        result = trial_result(spec, scores, epochs=found.epochs, seconds=found.seconds)
        note = evaluation_note(
            scores, remarks=trial_remarks(figures), chosen=chosen_in_words(spec.n_folds, spec.n_seeds)
        )
        log_files(record, spec, found.days, found.distribution, training.model)
        trial.set_user_attr("result", result)  # refused if the trial is not open any more
        record.conclude(found.evaluation, figures, note=note)
        state.remove()
        if training.is_several:
            forget_folds(self.study.client, record.run_id)
        return found.evaluation.loss

    def _state(self, record: RunWriter) -> TrainingState:
        return TrainingState(self.study.client, record.run_id, self.study.training_state(record.run_id))
