"""Aliases: ``challenger`` is the newest version, ``champion`` the one in use; who was champion before is kept."""

from __future__ import annotations

import getpass
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from mlflow.exceptions import MlflowException

from pipeline.exceptions import InputError
from search.registry.versions.by_hand import with_origin
from search.registry.versions.versions import CHAMPION as CHAMPION
from search.registry.versions.versions import HISTORY, find_model, versions_of
from search.tracking.provenance import code_tags

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

CHALLENGER = "challenger"
GATE, FORCE, ROLLBACK = "gate", "force", "rollback"
KEPT_MOVES = 200
MOVES = "### Champion"


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


def now() -> str:
    """UTC time of this moment, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def code_version() -> str:
    """Git commit, with ``+`` behind it if the tree has changes."""
    tags = code_tags()
    return tags["git.commit"] + ("+" if tags["git.dirty"] == "true" else "")


class Held(NamedTuple):
    """Versions of a model that are champion and challenger, by alias, and the tag of its champions' history."""

    aliases: dict[str, str]
    history: str | None


def held_aliases(client: MlflowClient, model: str) -> Held:
    """Remember which versions are champion and challenger now."""
    found = find_model(client, model)
    aliases = found.aliases or {}
    own = {alias: str(aliases[alias]) for alias in (CHAMPION, CHALLENGER) if alias in aliases}
    return Held(aliases=own, history=found.tags.get(HISTORY))


def put_back(client: MlflowClient, model: str, held: Held) -> None:
    """Set champion, challenger and history as they were remembered."""
    for alias in (CHAMPION, CHALLENGER):
        if alias in held.aliases:
            client.set_registered_model_alias(model, alias, held.aliases[alias])
        else:
            client.delete_registered_model_alias(model, alias)
    if held.history is not None:
        client.set_registered_model_tag(model, HISTORY, held.history)
    elif HISTORY in find_model(client, model).tags:
        client.delete_registered_model_tag(model, HISTORY)


def champion_of(client: MlflowClient, model: str) -> ModelVersion | None:
    """Version that is champion now; None if there is none."""
    held = (each for each in versions_of(client, model) if CHAMPION in each.aliases)
    return next((with_origin(client, each) for each in held), None)


def moves_of(client: MlflowClient, model: str) -> list[Move]:
    """Every move of the champion, oldest first."""
    text = find_model(client, model).tags.get(HISTORY, "[]")
    return [Move(**move) for move in json.loads(text)]


def move_champion(client: MlflowClient, model: str, version: int, *, how: str, reason: str = "") -> Move:
    """Make a version champion, and record it on the model and on the version."""
    move = Move(version=version, how=how, date=now(), code=code_version(), reason=reason, user=user_name())
    moves = [*moves_of(client, model), move][-KEPT_MOVES:]
    client.set_registered_model_alias(model, CHAMPION, str(version))
    client.set_registered_model_tag(model, HISTORY, json.dumps([asdict(each) for each in moves]))
    client.set_model_version_tag(model, str(version), f"champion.{how}", json.dumps(asdict(move)))
    described = client.get_model_version(model, str(version)).description or ""
    client.update_model_version(model, str(version), description=with_move(described, move))
    return move


def with_move(description: str, move: Move) -> str:
    """Add a move to what the version's page says, below those before it."""
    text = description if MOVES in description else f"{description}\n\n{MOVES}\n".lstrip()
    return f"{text.rstrip()}\n- {move.text()}"


def user_name() -> str:
    """Name of who runs this; empty if the system does not know."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


def chain(moves: Sequence[Move]) -> list[int]:
    """Champions that a rollback can go back to, in order of time; the last is the present one.

    A promotion adds a version, a rollback takes away those above the one it went to.

    Examples
    --------
    >>> def move(version, how):
    ...     return Move(version=version, how=how, date="", code="")
    >>> chain([move(1, GATE), move(2, GATE), move(3, FORCE), move(2, ROLLBACK)])
    [1, 2]
    """
    champions: list[int] = []
    for move in moves:
        if move.how == ROLLBACK and move.version in champions:
            last = len(champions) - champions[::-1].index(move.version)
            champions = champions[:last]
        elif champions[-1:] != [move.version]:
            champions.append(move.version)
    return champions


def roll_back(client: MlflowClient, model: str, to: int | None = None) -> tuple[int | None, Move]:
    """Make the champion before the present one champion again, or an earlier one.

    Without a present champion, because it was deleted, it goes to the last one that still exists.

    Returns
    -------
    int or None, Move
        The version that was champion until now, if there was one, and the move.

    Raises
    ------
    InputError
        If there never was a champion, none is left before the present one, or ``to`` never was one.
    """
    champion = champion_of(client, model)
    present = None if champion is None else int(champion.version)
    before = _earlier_champions(client, model, present)
    if present is None and not before:
        raise InputError(f"a rollback needs a champion, {model} has none; patchscale promote {model}/NUMBER makes one")
    if not before or (to is not None and to not in before):
        shown = ", ".join(map(str, before)) or "none"
        where = "in its history" if present is None else f"before {present}"
        got = "" if to is None else f", got {to}"
        raise InputError(
            f"a rollback goes to an earlier champion of {model} ({shown} {where}){got}; "
            f"patchscale promote {model}/NUMBER asks the gate for any other version"
        )
    target = before[-1] if to is None else to
    return present, move_champion(client, model, target, how=ROLLBACK)


def _earlier_champions(client: MlflowClient, model: str, present: int | None) -> list[int]:
    """Champions of the chain that still exist, without the present one at its end."""
    existing = {int(version.version) for version in versions_of(client, model)}
    before = [version for version in chain(moves_of(client, model)) if version in existing]
    while before[-1:] == [present]:
        before.pop()
    return before


def set_challenger(client: MlflowClient, model: str, version: int) -> None:
    """Make a version the challenger."""
    try:
        client.set_registered_model_alias(model, CHALLENGER, str(version))
    except MlflowException as error:
        raise InputError(f"the registry must take an alias for {model}/{version}, got: {error}") from error
