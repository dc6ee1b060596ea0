from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from model.spec.architecture import Architecture, total_parameters
from model.spec.spec import Spec


@pytest.fixture(scope="session")
def large(spec: Spec) -> Callable[..., Spec]:
    """``large(256, 8, 8, 1024)``: a spec of this width, depth, heads and inner width."""

    def make(d_model: int, n_layers: int, n_heads: int, d_ff: int) -> Spec:
        architecture = Architecture(n_features=25, d_model=d_model, n_layers=n_layers, n_heads=n_heads, d_ff=d_ff)
        return replace(spec, architecture=architecture, budget=str(total_parameters(architecture)))

    return make
