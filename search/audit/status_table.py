"""The status of every study as a table that people read, once or again and again."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from search.study.values import duration_text

if TYPE_CHECKING:
    from rich.console import Console

COLUMNS = ("study", "budget", "horizon", "target", "trials", "state", "best loss", "base rate", "skill", "issues")
RIGHT = ("trials", "best loss", "base rate", "skill")
WIDE = 140
MIN_STATE, MIN_ISSUES = 10, 20
EMPTY = "no study yet; start one with patchscale hpo"
UNKNOWN = "unknown"
REFRESH_SECONDS = 3.0


def status_table(states: list[dict[str, Any]], width: int = WIDE) -> RenderableType:
    """One row a study; where that is too wide, issues stand below, and last what had no say in the losses.

    Parameters
    ----------
    states : list of dict
        From :func:`search.audit.status.study_states`.
    width : int
        Letters in a line.
    """
    if not states:
        return EMPTY
    columns = COLUMNS if width >= WIDE else COLUMNS[:-1]
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in columns:
        table.add_column(
            column,
            justify="right" if column in RIGHT else "left",
            overflow="fold",
            no_wrap=column in ("study", "state") and width >= WIDE,
            min_width={"state": MIN_STATE, "issues": MIN_ISSUES}.get(column),
        )
    for state in states:
        table.add_row(*_cells(state)[: len(columns)])
    issues = [] if width >= WIDE else [f"{state['study']}: {'; '.join(state['issues'])}" for state in states]
    notes = [f"note: {state['study']}: {state['note']}" for state in states if state.get("note")]
    return Group(table, *map(Text, issues + notes)) if issues or notes else table


def watch(read: Callable[[], list[dict[str, Any]]], console: Console, pause: float = REFRESH_SECONDS) -> None:
    """Show the table until Ctrl-C: in place on a terminal, each time it changes in a log."""
    shown = None
    try:
        with Live(console=console, auto_refresh=False, transient=False) as live:
            while True:
                states = read()
                if console.is_terminal:
                    live.update(status_table(states, console.width), refresh=True)
                elif states != shown:
                    console.print(status_table(states, console.width))
                shown = states
                time.sleep(pause)
    except KeyboardInterrupt:
        return


def _cells(state: dict[str, Any]) -> list[str]:
    done = f"{state['finished']}/{state['target']}" if "target" in state else UNKNOWN
    horizon = f"h{state['horizon']}" if "horizon" in state else UNKNOWN
    figures = [figure_text(state.get("best_loss"), ".4f"), figure_text(state.get("base_rate_loss"), ".4f")]
    return [
        state["study"],
        state.get("budget", UNKNOWN),
        horizon,
        state.get("predicts", UNKNOWN),
        done,
        state_in_words(state),
        *figures,
        figure_text(state.get("best_skill"), "+.3f"),
        "; ".join(state["issues"]),
    ]


def figure_text(value: float | None, form: str) -> str:
    """Write a figure in this form, unless it is unknown."""
    return UNKNOWN if value is None else format(value, form)


def state_in_words(state: dict[str, Any]) -> str:
    """State, with the time left or what stopped the study.

    Examples
    --------
    >>> state_in_words({"state": "running", "workers": 2, "seconds_left": 4000.0})
    'running, 1 h 7 min left'
    >>> state_in_words({"state": "stopped", "stopped_by": "timeout", "finished": 31, "target": 50})
    'stopped by timeout, 31/50'
    >>> state_in_words({"state": "running", "host": "somewhere-else"})
    'running on somewhere-else, time left unknown'
    """
    word = str(state["state"])
    if word == "running":
        host = state.get("host", "")
        word += f" on {host}" if host not in ("", socket.gethostname()) else ""
        left = state.get("seconds_left")
        return f"{word}, time left {UNKNOWN}" if left is None else f"{word}, {duration_text(left)} left"
    if word == "stopped":
        return f"{word} by {state['stopped_by']}, {state['finished']}/{state['target']}"
    return word
