"""A trial at work: how far it is, what its last epoch reached, when it will end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

UNKNOWN = "–"


@dataclass(kw_only=True)
class AtWork:
    """A trial at work, as its events tell.

    Parameters
    ----------
    label : str
        Its architecture; empty if that is not known.
    began : float
        When it was handed out, on a clock of the caller's.
    epoch, of : int
        Epochs done, and the most that there will be; 0 of 0 before the first one was heard of.
    loss, base_rate_loss : float, optional
        Of the validation days after that epoch, and of the best constant on them.

    Examples
    --------
    >>> trial = AtWork(label="d64-L48-h8-ff256", began=0.0)
    >>> trial.heard({"epoch": 1, "of": 6, "loss": 0.4225, "base_rate_loss": 0.4728}, now=20.0)
    >>> trial.line(now=30.0)
    'd64-L48-h8-ff256  epoch 1/6  loss 0.4225 (base rate 0.4728)  30 s'
    >>> trial.seconds_left(now=30.0)
    90.0
    """

    label: str
    began: float
    epoch: int = 0
    of: int = 0
    loss: float | None = None
    base_rate_loss: float | None = None
    _pace: float | None = None
    _heard: float | None = None

    def heard(self, event: dict[str, Any], now: float) -> None:
        """Take what an epoch's event says.

        The pace is that of this epoch, as a trial that goes on after an interruption begins anywhere.
        """
        if event["epoch"] > 0:
            self._pace = now - (self.began if self._heard is None else self._heard)
        self._heard = now
        self.epoch, self.of = event["epoch"], event["of"]
        self.loss, self.base_rate_loss = event.get("loss"), event.get("base_rate_loss")

    @property
    def share(self) -> float:
        """Share of its epochs that are done."""
        return self.epoch / self.of if self.of else 0.0

    def seconds_left(self, now: float) -> float | None:
        """Seconds until its last epoch, if patience doesn't end it before; None while no epoch tells the pace."""
        if self._pace is None or self._heard is None:
            return None
        return max(0.0, self._pace * (self.of - self.epoch) - (now - self._heard))

    def line(self, now: float) -> str:
        """One line for a log."""
        loss = "" if self.loss is None else f"  loss {self.loss:.4f} (base rate {_figure(self.base_rate_loss)})"
        return f"{self.label}  epoch {self.epoch}/{self.of}{loss}  {in_words(now - self.began)}"

    def cells(self, now: float) -> tuple[str, ...]:
        """Architecture, epoch, loss, base rate, time and time left, as a terminal shows them."""
        left = self.seconds_left(now)
        return (
            self.label,
            f"{self.epoch}/{self.of}" if self.of else "starting",
            _figure(self.loss),
            _figure(self.base_rate_loss),
            in_words(now - self.began),
            UNKNOWN if left is None else in_words(left),
        )


def _figure(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.4f}"


def in_words(seconds: float) -> str:
    """Seconds as a person says them.

    Examples
    --------
    >>> [in_words(seconds) for seconds in (0.4, 75, 1234, 5000, 200_000)]
    ['0 s', '75 s', '21 min', '1.4 h', '2.3 d']
    """
    for limit, length, unit in ((120, 1, "s"), (3600, 60, "min")):
        if seconds < limit:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.1f} d"
