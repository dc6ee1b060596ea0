"""Fixtures of the folds' tests: those of the walk-forward, which are folds too."""

from tests.search.walk_forward.conftest import one_thread, plan, pooled, spec

__all__ = ["one_thread", "plan", "pooled", "spec"]
