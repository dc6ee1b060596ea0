"""History of a model's champions, in tags of the model: the newest moves in one, older ones in as many as they take.

A tag has room for some thirty moves on PostgreSQL.  When it is full, what it holds goes to a numbered one, whole.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from search.tracking.widths import MODEL_TAG, cut

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import RegisteredModel

CHAMPION, HISTORY = "champion", "champion.history"
BEGUN = "champion.begun"
"""Tag of a model: the move that is being made, from before it is in the history until all that it leaves is written."""
GATE, FORCE, ROLLBACK = "gate", "force", "rollback"
KEPT_MOVES = 200
REASON_LENGTHS = (4000, 1200, 350)
"""Letters of a reason: as many as leave the move room in a tag of its own, however many of them JSON escapes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Move:
    """One move of the champion.

    Parameters
    ----------
    version : int
        That became champion.
    how : str
        ``gate``, ``force`` or ``rollback``.
    date : str
        UTC time, ISO 8601.
    code : str
        Git commit of the code that moved it, with ``+`` behind it if the tree had changes.
    reason : str
        Of whoever forced it; empty otherwise.
    user : str
        Who moved it; empty in moves that older code recorded.
    """

    version: int
    how: str
    date: str
    code: str
    reason: str = ""
    user: str = ""

    def text(self) -> str:
        """Say how the version became champion.

        Examples
        --------
        >>> Move(version=3, how=FORCE, date="2026-11-26", code="", reason="a trial run", user="quant").text()
        'champion 2026-11-26, forced by quant because "a trial run": the gate did not hold'
        """
        by = f" by {self.user}" if self.user else ""
        how = {
            GATE: "the gate held",
            FORCE: f'forced{by} because "{self.reason}": the gate did not hold',
            ROLLBACK: f"rolled back to{by}",
        }
        return f"champion {self.date}, {how.get(self.how, self.how)}"


def whole_moves(model: RegisteredModel) -> list[Move]:
    """Every move that took place, oldest first: not one whose alias was never set, because its command was killed."""
    older = [move for number in _numbers(model.tags) for move in _read(model.tags[_place(number)])]
    return [*older, *_newest(model)][-KEPT_MOVES:]


def begun_move(model: RegisteredModel) -> Move | None:
    """Give the move that a killed command left in the middle; None if there is none."""
    text = model.tags.get(BEGUN, "")
    return Move(**json.loads(text)) if text else None


def unfinished_move(model: RegisteredModel) -> Move | None:
    """Give the move whose alias is set, and of which something is still to be written; None if there is none."""
    begun = begun_move(model)
    return begun if begun is not None and _is_champion(model, begun) else None


def write_move(client: MlflowClient, model: RegisteredModel, move: Move) -> None:
    """Put a move that is about to be made into a model's history; :func:`move_made` says that it was."""
    name, numbers = str(model.name), _numbers(model.tags)
    newest = [in_short(each) for each in (*_newest(model), move)]
    count = len(newest) + sum(len(_read(model.tags[_place(number)])) for number in numbers)
    client.set_registered_model_tag(name, BEGUN, json.dumps(asdict(newest[-1])))
    while len(_text(newest)) > MODEL_TAG:
        fitting = max(n for n in range(1, len(newest)) if len(_text(newest[:n])) <= MODEL_TAG)
        numbers.append(numbers[-1] + 1 if numbers else 1)
        client.set_registered_model_tag(name, _place(numbers[-1]), _text(newest[:fitting]))
        newest = newest[fitting:]
    client.set_registered_model_tag(name, HISTORY, _text(newest))
    _forget(client, model, numbers, count)


def move_made(client: MlflowClient, model: str) -> None:
    """Say that all which a move leaves is written."""
    client.delete_registered_model_tag(model, BEGUN)


def history_tags(model: RegisteredModel) -> dict[str, str]:
    """Tags of a model that hold its history."""
    return {name: text for name, text in model.tags.items() if name == BEGUN or name.startswith(HISTORY)}


def in_short(move: Move) -> Move:
    """Cut the reason of a move that has no room in a tag."""
    for most in REASON_LENGTHS:
        if len(_text([move])) <= MODEL_TAG:
            break
        move = replace(move, reason=cut(move.reason, most))
    return move


def _is_champion(model: RegisteredModel, move: Move) -> bool:
    return str((model.aliases or {}).get(CHAMPION, "")) == str(move.version)


def _newest(model: RegisteredModel) -> list[Move]:
    """Read the moves that stand in no numbered tag: also where a command was killed while it filled the last one."""
    newest, begun = _read(model.tags.get(HISTORY, "[]")), begun_move(model)
    for number in _numbers(model.tags)[-1:]:
        last = _read(model.tags[_place(number)])
        if newest[: len(last)] == last:
            newest = newest[len(last) :]
    was_made = begun is None or newest[-1:] != [begun] or _is_champion(model, begun)
    return newest if was_made else newest[:-1]


def _forget(client: MlflowClient, model: RegisteredModel, numbers: Sequence[int], count: int) -> None:
    """Delete the oldest tags without which enough moves are kept."""
    for number in numbers:
        if _place(number) not in model.tags:
            return
        count -= len(_read(model.tags[_place(number)]))
        if count < KEPT_MOVES:
            return
        client.delete_registered_model_tag(str(model.name), _place(number))


def _numbers(tags: Iterable[str]) -> list[int]:
    ends = (name.removeprefix(f"{HISTORY}.") for name in tags if name.startswith(f"{HISTORY}."))
    return sorted(int(end) for end in ends if end.isdecimal())


def _place(number: int) -> str:
    return f"{HISTORY}.{number}"


def _read(text: str) -> list[Move]:
    return [Move(**move) for move in json.loads(text)]


def _text(moves: Sequence[Move]) -> str:
    return json.dumps([asdict(each) for each in moves])
