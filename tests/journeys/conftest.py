"""Journeys start where the tests of a command do: in an empty home, with the tiny plan."""

from tests.search.conftest import (
    command,
    home,
    launch,
    make_study,
    make_trained,
    planned,
    project,
    record_after,
    stores,
    template,
)

__all__ = [
    "command",
    "home",
    "launch",
    "make_study",
    "make_trained",
    "planned",
    "project",
    "record_after",
    "stores",
    "template",
]
