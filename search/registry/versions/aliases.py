"""Aliases: ``challenger`` is the newest version, ``champion`` the one in use; who was champion before is kept."""

from __future__ import annotations

import getpass
import json
import shlex
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from mlflow.exceptions import MlflowException

from pipeline.exceptions import InputError
from search.registry.versions.by_hand import with_origin
from search.registry.versions.history import (
    CHAMPION,
    FORCE,
    GATE,
    HISTORY,
    KEPT_MOVES,
    ROLLBACK,
    Move,
    history_tags,
    move_made,
    unfinished_move,
    whole_moves,
    write_move,
)
from search.registry.versions.versions import find_model, versions_of
from search.tracking.provenance import code_tags
from search.tracking.widths import DESCRIPTION, cut

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

__all__ = ["CHAMPION", "FORCE", "GATE", "HISTORY", "KEPT_MOVES", "ROLLBACK", "Move"]

CHALLENGER = "challenger"
MOVES = "### Champion"
LEFT_OUT = "- earlier moves are cut: they have no room here"
LONGEST_REASON, LONGEST_NAME, LONGEST_LINE = 8000, 100, 1000
"""Letters of a reason in a version's tag, of whoever moved the champion, and of a move on the version's page."""


def now() -> str:
    """UTC time of this moment, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def code_version() -> str:
    """Git commit, with ``+`` behind it if the tree has changes."""
    tags = code_tags()
    return tags["git.commit"] + ("+" if tags["git.dirty"] == "true" else "")


class Held(NamedTuple):
    """Versions of a model that are champion and challenger, by alias, and the tags of its champions' history."""

    aliases: dict[str, str]
    history: dict[str, str]


def held_aliases(client: MlflowClient, model: str) -> Held:
    """Remember which versions are champion and challenger now."""
    found = find_model(client, model)
    aliases = found.aliases or {}
    own = {alias: str(aliases[alias]) for alias in (CHAMPION, CHALLENGER) if alias in aliases}
    return Held(aliases=own, history=history_tags(found))


def put_back(client: MlflowClient, model: str, held: Held) -> None:
    """Set champion, challenger and history as they were remembered."""
    for alias in (CHAMPION, CHALLENGER):
        if alias in held.aliases:
            client.set_registered_model_alias(model, alias, held.aliases[alias])
        else:
            client.delete_registered_model_alias(model, alias)
    now_held = history_tags(find_model(client, model))
    for name, text in held.history.items():
        if now_held.get(name) != text:
            client.set_registered_model_tag(model, name, text)
    for name in now_held.keys() - held.history.keys():
        client.delete_registered_model_tag(model, name)


def champion_of(client: MlflowClient, model: str) -> ModelVersion | None:
    """Version that is champion now; None if there is none."""
    held = (each for each in versions_of(client, model) if CHAMPION in each.aliases)
    return next((with_origin(client, each) for each in held), None)


def moves_of(client: MlflowClient, model: str) -> list[Move]:
    """Every move of the champion, oldest first."""
    return whole_moves(find_model(client, model))


def move_champion(client: MlflowClient, model: str, version: int, *, how: str, reason: str = "") -> Move:
    """Make a version champion, and record it on the model and on the version.

    The history is written before the alias is set.  A command that is killed between them has moved nothing, and one
    that is killed later has its record completed by the next: see :func:`finish_move`.
    """
    finish_move(client, model)
    said = {"reason": cut(reason, LONGEST_REASON), "user": cut(user_name(), LONGEST_NAME)}
    move = Move(version=version, how=how, date=now(), code=code_version(), **said)
    write_move(client, find_model(client, model), move)
    client.set_registered_model_alias(model, CHAMPION, str(version))
    _record_on_version(client, model, move)
    return move


def finish_move(client: MlflowClient, model: str) -> Move | None:
    """Complete the record of the move that a killed command made; None if there is none."""
    move = unfinished_move(find_model(client, model))
    if move is not None:
        _record_on_version(client, model, move)
    return move


def _record_on_version(client: MlflowClient, model: str, move: Move) -> None:
    number = str(move.version)
    client.set_model_version_tag(model, number, f"champion.{move.how}", json.dumps(asdict(move)))
    described = client.get_model_version(model, number).description or ""
    client.update_model_version(model, number, description=with_move(described, move))
    move_made(client, model)


def with_move(description: str, move: Move) -> str:
    """Add a move to what the version's page says, below those before it; the oldest go where it has no room."""
    head, _, kept = description.partition(MOVES)
    line = f"- {cut(move.text(), LONGEST_LINE)}"
    were_cut = [LEFT_OUT] if LEFT_OUT in kept else []
    lines = [each for each in kept.strip().splitlines() if each not in (line, LEFT_OUT)]
    room, said = max(DESCRIPTION // 2, DESCRIPTION - len(head.rstrip()) - 2), [*were_cut, *lines, line]
    while lines and len("\n".join([MOVES, *said])) > room:
        lines = lines[1:]
        said = [LEFT_OUT, *lines, line]
    moves = "\n".join([MOVES, *said])
    return f"{cut(head.rstrip(), DESCRIPTION - len(moves) - 2)}\n\n{moves}".lstrip()


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

    A rollback that was killed after it moved the champion is finished, and goes no further back.
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
    finished = finish_move(client, model)
    if finished is not None and finished.how == ROLLBACK and to in (None, finished.version):
        return _champion_before(client, model), finished
    champion = champion_of(client, model)
    present = None if champion is None else int(champion.version)
    before = _earlier_champions(client, model, present)
    promote = f"patchscale promote {shlex.quote(model)}/NUMBER"
    if present is None and not before:
        raise InputError(f"a rollback needs a champion, {model} has none; {promote} makes one")
    if not before or (to is not None and to not in before):
        shown = ", ".join(map(str, before)) or "none"
        where = "in its history" if present is None else f"before {present}"
        got = "" if to is None else f", got {to}"
        raise InputError(
            f"a rollback goes to an earlier champion of {model} ({shown} {where}){got}; "
            f"{promote} asks the gate for any other version"
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


def _champion_before(client: MlflowClient, model: str) -> int | None:
    """Champion before the last move, if it still exists."""
    existing = {int(version.version) for version in versions_of(client, model)}
    before = chain(moves_of(client, model)[:-1])[-1:]
    return next((version for version in before if version in existing), None)


def set_challenger(client: MlflowClient, model: str, version: int) -> None:
    """Make a version the challenger."""
    try:
        client.set_registered_model_alias(model, CHALLENGER, str(version))
    except MlflowException as error:
        raise InputError(f"the registry must take an alias for {model}/{version}, got: {error}") from error
