"""The recipe: what determines every trial of a study and is not searched, by what the user asked."""

from __future__ import annotations

from typing import Any

from model.spec.architecture import BINARY, DISTRIBUTION, NO_HORIZONS, Architecture
from model.spec.choices import COSINE, FLAT, NONE
from model.spec.spec import Training
from pipeline.exceptions import InputError
from pipeline.tiers import find_tier, n_static
from search.space.axes import SMALL_BUDGET
from search.study.request import HpoRequest

HORIZONS = (1, 2, 3, 5)
CONTEXT_LENGTH, LONG_PATCH, SHORT_PATCH = 30, 10, 5
WEIGHT_AVERAGE = 0.99


def fixed_architecture(request: HpoRequest) -> dict[str, Any]:
    """Give the settings that all architectures of a study share.

    Examples
    --------
    >>> fixed_architecture(HpoRequest())["n_features"]
    25
    >>> settings = fixed_architecture(HpoRequest(head="distribution", tier="s40", horizon=10))
    >>> settings["n_static"], settings["horizons"], settings["patch_length"]
    (33, '1 2 3 5 10', 10)
    """
    beside = n_static(request.tier)
    if request.head == DISTRIBUTION and not beside:
        raise InputError(
            f"head {DISTRIBUTION} measures everything in the sigma of a tier of two parts, got tier {request.tier}; "
            "take --tier s40, --tier s33 where there is no ^VIX, or --head binary"
        )
    ahead = sorted({*HORIZONS, request.horizon})
    settings: dict[str, Any] = {
        "n_features": len(find_tier(request.tier)) - beside,
        "n_static": beside,
        "instance_norm": request.instance_norm,
        "head": request.head,
        "horizons": NO_HORIZONS if request.head == BINARY else " ".join(map(str, ahead)),
    }
    if not beside:
        return settings
    patch = SHORT_PATCH if request.size.n_params < SMALL_BUDGET else LONG_PATCH
    return {**settings, "context_length": CONTEXT_LENGTH, "patch_length": patch, "stride": patch}


def fixed_training(request: HpoRequest) -> Training:
    """Give the training settings that all trials of a study share; those that are searched stand at their defaults."""
    is_binary = request.head == BINARY
    return Training(
        max_epochs=request.max_epochs,
        patience=request.patience,
        offset=request.offset,
        blend=request.blend,
        init=request.init,
        first_epoch=request.first_epoch,
        schedule=COSINE if is_binary else FLAT,
        weight_average=0.0 if is_binary else WEIGHT_AVERAGE,
    )


def variant_names(training: Training, architecture: Architecture) -> tuple[str, ...]:
    """Name what tells a study from the usual one; ``none`` says nothing."""
    head = NONE if architecture.head == BINARY else architecture.head
    return head, training.offset, architecture.instance_norm, training.blend.replace(":", "")
