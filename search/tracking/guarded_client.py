"""MLflow's client, whose writes ask first whether the leases of this process are still its own."""

from __future__ import annotations

import inspect

from mlflow import MlflowClient

from search.tracking.held import guarded

READS = ("get_", "search_", "list_", "download_", "load_", "parse_", "test_", "_")
"""Beginnings of calls that change nothing, or are made by those that do."""


class GuardedClient(MlflowClient):
    """Client that writes nothing more once another command has taken over what this one worked on."""


for _name, _ in inspect.getmembers(MlflowClient, inspect.isfunction):
    if not _name.startswith(READS):
        setattr(GuardedClient, _name, guarded(MlflowClient, _name))
