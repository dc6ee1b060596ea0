"""The coordinator: the one that asks for trials and hands them out until the target is met, wherever they run."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Collection
from types import FrameType

from pipeline.exceptions import StoreLostError, StudyError
from search.results.weights import WeightKeeper
from search.study.next_trial import NextTrial, Proposer
from search.study.reconcile import reconcile
from search.study.study import Study
from search.tracking.patience import WAITING
from search.workers.engine import DONE, GONE, NODE_LOST, Engine, Event, Hand
from search.workers.engines import make_engine
from search.workers.pool import Workforce
from search.workers.progress import StudyProgress
from search.workers.signals import handled_by
from search.workers.single_thread import single_thread

SAME_ERRORS_IN_A_ROW = 3
ERRORS_IN_A_ROW = 10
SECOND_SIGNAL_AFTER_SECONDS = 2.0
POLL_SECONDS = 0.5
LEASE_SECONDS = 5.0
"""How often the lease is looked at while hands work."""


class Coordinator:
    """Run a study's remaining trials.

    It alone asks the schedule, so it knows which trials run: no more are handed out than are missing, and none whose
    spec is finished or at work.

    Parameters
    ----------
    study : Study
        Open, and held by the caller.
    workforce : Workforce
        Who works, and how long.
    progress : StudyProgress
        Shows events.
    until : int, optional
        Finished trials at which to stop; the study's target if None.
    engine : Engine, optional
        Where trials run; what the workforce names if None.
    """

    def __init__(
        self,
        study: Study,
        workforce: Workforce,
        progress: StudyProgress,
        *,
        until: int | None = None,
        engine: Engine | None = None,
    ) -> None:
        self.study, self.workforce, self.progress = study, workforce, progress
        self.until = study.target_trials if until is None else until
        self.engine = make_engine(study.plan.study, workforce) if engine is None else engine
        self._proposer, self._weights = Proposer(study), WeightKeeper(study, workforce.stores, progress.say)
        self._busy: dict[Hand, NextTrial] = {}
        """Hands with a trial that has not ended."""
        self._ready: dict[Hand, str] = {}
        """Hands without one, with the name of their machine."""
        self._hosts: dict[Hand, str] = {}
        self._twins: list[NextTrial] = []
        """Trials whose spec is at work in another: they take over its result, or run if it has none."""
        self.finished = len(study.finished())
        self.stopped_by: int | None = None
        self.timed_out = False
        self._deadline = None if workforce.timeout is None else time.monotonic() + workforce.timeout
        self._stopped_at = self._looked_at = 0.0
        self._errors: list[str] = []
        self._parent = os.getppid() if workforce.launched else None

    def run(self) -> bool:
        """Work until the target is met or somebody stops it.

        Returns
        -------
        bool
            True if the target was met, False if it was interrupted.

        Raises
        ------
        StudyError
            If three trials in a row end with the same error.
        LostLeaseError
            If another command took the study over.
        """
        with handled_by(self._on_signal), single_thread(), self.engine:
            self._weights.settle()
            while self._remaining() > 0 and self.stopped_by is None:
                self._run_hands()
                self._repair()
        return self._remaining() <= 0

    def _run_hands(self) -> None:
        self._start()
        while self.engine.hands:
            self._notice_end()
            self._keep_lease()
            for hand, event in self.engine.events(POLL_SECONDS):
                self._on_event(hand, event)
                self._hand_out()
                self._start()
                self._weights.after(self.finished)
            self._let_go()

    def _repair(self, *gone: int) -> None:
        """Close and queue again what runs in no hand, and will not."""
        self.workforce.require_lease()
        for line in reconcile(self.study, alive=self._at_work(), gone=gone):
            self.progress.say(line)
        self._count_finished()

    def _count_finished(self) -> None:
        self.finished = self.progress.finished = len(self.study.finished())

    def _at_work(self) -> Collection[int]:
        return {each.number for each in (*self._busy.values(), *self._twins)}

    def _remaining(self) -> int:
        return self.until - self.finished

    def _start(self) -> None:
        wanted = min(self.workforce.n_workers, self._remaining()) - len(self.engine.hands)
        if self.stopped_by is None and wanted > 0:
            self.engine.start(wanted)

    def _on_event(self, hand: Hand, event: Event) -> None:
        kind = event["event"]
        if kind in GONE:
            self._on_exit(hand, event)
            return
        self.progress.event(event)
        if kind == "store lost":
            WAITING.given_up = True  # what one hand waited for in vain is not waited for again
            raise StoreLostError(event["error"])
        if kind == "ready":
            self._hosts[hand] = self._ready[hand] = event["host"]
        if kind in (*DONE, "interrupted"):
            self._busy.pop(hand, None)
        if kind == "closed":
            self._count_finished()  # somebody else closed it, who may have finished others
        if kind == "finished":
            self.finished += 1
            self._errors.clear()
        if kind == "failed":
            self._count_error(event["error"])
        if kind in DONE:
            self._ready[hand] = self._hosts[hand]

    def _hand_out(self) -> None:
        """Give each hand that is free a trial, or let it go if there is none for it."""
        while self._ready:
            hand, host = next(iter(self._ready.items()))
            del self._ready[hand]
            found = self._next(host)
            if found is None:
                self.engine.dismiss(hand)
            else:
                self._busy[hand] = found
                self.progress.hand_out(found.number, found.label)
                self.engine.run(hand, found.storage_id)

    def _let_go(self) -> None:
        """Let hands go that are still starting when everything is done."""
        if self._remaining() <= 0 and self.stopped_by is None:
            for hand in [hand for hand in self.engine.hands if hand not in self._hosts]:
                self.engine.dismiss(hand)

    def _next(self, host: str) -> NextTrial | None:
        """Take a trial to run on this machine; None if as many run as are missing."""
        self._settle_twins()
        while self.stopped_by is None and len(self._busy) < self._remaining():
            self.workforce.require_lease()
            specs = {each.spec_hash for each in self._busy.values()}
            free = next((twin for twin in self._twins if twin.spec_hash not in specs), None)
            if free is not None:
                self._twins.remove(free)
                self._proposer.move(free, host)
                return free
            if self._proposer.is_exhausted:
                self._require_at_work()
                break
            found = self._proposer.ask(host)
            if self._reuse(found):
                continue
            if found.spec_hash is None or found.spec_hash not in specs:
                return found
            self._twins.append(found)
        return None

    def _require_at_work(self) -> None:
        """Say that there is nothing to train, where every spec was tried and none is at work."""
        if not self._busy:
            raise StudyError(
                f"a study needs specs that were not tried, got {self.finished} finished trials of {self.until} and no "
                f"spec left: the others were pruned or failed; take --trials {self.finished}, or a new study with "
                "--pruner none or a range of a training setting"
            )

    def _settle_twins(self) -> None:
        """Give trials that waited for another of the same spec its result, if that has one now."""
        self._twins = [twin for twin in self._twins if not self._reuse(twin)]

    def _reuse(self, trial: NextTrial) -> bool:
        event = self._proposer.reuse(trial)
        if event is not None:
            self.progress.event(event)
        return event is not None

    def _on_exit(self, hand: Hand, event: Event) -> None:
        """Queue the trial of a hand that is gone again."""
        self._ready.pop(hand, None)
        self._hosts.pop(hand, None)
        lost = self._busy.pop(hand, None)
        if lost is not None:
            self.progress.take_back(lost.number)
        if (event["event"] == "left" and lost is None) or self.stopped_by is not None:
            return
        self.progress.say(event.get("text", f"a worker ended unasked: {event['error']}"))
        if lost is not None:
            self._repair(lost.number)
        if not event.get(NODE_LOST):
            self._count_error(event["error"])

    def _count_error(self, error: str) -> None:
        self._errors.append(re.sub(r"[0-9a-f]{8,}|[\d.]+(e[+-]?\d+)?", "#", error))
        alike = self._errors[-SAME_ERRORS_IN_A_ROW:] == self._errors[-1:] * SAME_ERRORS_IN_A_ROW
        if alike or len(self._errors) >= ERRORS_IN_A_ROW:
            raise StudyError(
                f"a study goes on unless {SAME_ERRORS_IN_A_ROW} trials in a row fail alike, or {ERRORS_IN_A_ROW} "
                f"in any way, got: {error}"
            )

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.stopped_by is None:
            self._stop(number)
            self.progress.say("stopping after the current epochs; once more stops at once")
        elif time.monotonic() - self._stopped_at > SECOND_SIGNAL_AFTER_SECONDS:
            self.engine.kill()

    def _stop(self, number: int) -> None:
        WAITING.is_over = lambda: True
        self.stopped_by, self._stopped_at = number, time.monotonic()
        self.engine.stop()

    def _keep_lease(self) -> None:
        if time.monotonic() - self._looked_at > LEASE_SECONDS:
            self.workforce.require_lease()
            self._looked_at = time.monotonic()

    def _notice_end(self) -> None:
        """Stop when the ``mlflow run`` that started us is gone, or the time is up."""
        if self.stopped_by is not None:
            return
        if self._parent is not None and os.getppid() != self._parent:
            self._stop(signal.SIGTERM)
        elif self._deadline is not None and time.monotonic() > self._deadline:
            self.timed_out = True
            self._stop(signal.SIGALRM)
            self.progress.say("time is up: stopping after the current epochs")
