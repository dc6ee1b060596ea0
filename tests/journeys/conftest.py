"""Journeys start where the tests of a command do: in an empty home, with the tiny plan."""

from tests.search.conftest import home, planned, project, stores, template

__all__ = ["home", "planned", "project", "stores", "template"]
