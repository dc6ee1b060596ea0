"""The recipe: what determines every trial of a study and is not searched, by what the user asked."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from model.spec.architecture import BINARY, DISTRIBUTION, NO_HORIZONS, Architecture
from model.spec.choices import BY_WIDTH, COSINE, DISTRIBUTION_LINEAR, FAN_IN, FLAT, NONE, OFFSETS
from model.spec.spec import Training
from pipeline.exceptions import InputError
from pipeline.sources import Source
from pipeline.tiers import TIERS, find_tier, n_static
from search.space.axes import SMALL_BUDGET
from search.study.request import AUTO, HpoRequest

if TYPE_CHECKING:
    from search.study.plan import Plan

VIX = "^VIX"
POOLED = ("SPY", "DIA", "QQQ", "^DJI", "^IXIC")
"""American indices and their funds, whose rows are pooled: on SPY's alone a distribution lost .008 of log loss."""
ALIKE = (*POOLED, "^GSPC")
BINARY_OFFSETS = tuple(each for each in OFFSETS[1:] if each != DISTRIBUTION_LINEAR)
ONE_PART = tuple(name for name in TIERS if not n_static(name))
HORIZONS = (1, 2, 3, 5)
CONTEXT_LENGTH, LONG_PATCH, SHORT_PATCH = 30, 10, 5
WEIGHT_AVERAGE = 0.99
WIDE_BUDGET = 20_000_000
"""Parameters from which on one learning rate does not serve all widths of a grid; measured with a distribution."""


def as_the_study_has_it(request: HpoRequest, plan: Plan) -> HpoRequest:
    """Fill in what a request leaves open as a study that is there has it."""
    pooled = tuple(plan.data.train_tickers.split(",")[1:])
    return replace(
        request,
        head=plan.head if request.head == AUTO else request.head,
        tier=plan.data.tier if request.tier == AUTO else request.tier,
        offset=plan.offset if request.offset == AUTO else request.offset,
        init=plan.init if request.init == AUTO else request.init,
        first_epoch=str(plan.first_epoch) if request.first_epoch == AUTO else request.first_epoch,
        train_tickers=pooled if request.train_tickers == (AUTO,) else request.train_tickers,
    )


def settled(request: HpoRequest, source: Source) -> HpoRequest:
    """Fill in what a request leaves open with the best recipe that is known.

    Parameters
    ----------
    request : HpoRequest
        What was asked.
    source : Source
        That has the tickers, or not.

    Examples
    --------
    >>> from pipeline.sources import open_source
    >>> found = settled(HpoRequest(), open_source("sample"))
    >>> found.head, found.tier, found.offset, found.train_tickers
    ('distribution', 's33', 'distribution_linear', ('^IXIC',))
    >>> old = settled(HpoRequest(tier="r33"), open_source("sample"))
    >>> old.head, old.offset, old.train_tickers
    ('binary', 'none', ())
    """
    head = request.head
    if head == AUTO:
        of_binary = request.tier in ONE_PART or request.offset in BINARY_OFFSETS
        head = BINARY if of_binary else DISTRIBUTION
    is_binary = head == BINARY
    tier = "r25" if is_binary else "s40" if source.has(VIX) else "s33"
    line = NONE if is_binary else DISTRIBUTION_LINEAR
    return replace(
        request,
        head=head,
        tier=tier if request.tier == AUTO else request.tier,
        offset=line if request.offset == AUTO else request.offset,
        init=FAN_IN if request.init == AUTO else request.init,
        first_epoch="0" if request.first_epoch == AUTO else request.first_epoch,
        train_tickers=_pool(request, source, is_binary=is_binary),
    )


def _pool(request: HpoRequest, source: Source, *, is_binary: bool) -> tuple[str, ...]:
    """Tickers that are trained on beside the forecast one."""
    if request.train_tickers != (AUTO,):
        return () if request.train_tickers == (NONE,) else request.train_tickers
    ticker = request.ticker or source.default_ticker
    if is_binary or ticker not in ALIKE:
        return ()
    return tuple(each for each in POOLED if each != ticker and source.has(each))


def fixed_architecture(request: HpoRequest) -> dict[str, Any]:
    """Give the settings that all architectures of a study share, of a request that leaves nothing open.

    Examples
    --------
    >>> fixed_architecture(HpoRequest(tier="r25", head="binary"))["n_features"]
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
    """Give the training settings that all trials of a study share, of a request that leaves nothing open."""
    is_binary = request.head == BINARY
    fixed: dict[str, Any] = {name: each.values[0] for name, each in request.training.items() if each.is_fixed}
    usual = Training(
        max_epochs=request.max_epochs,
        patience=request.patience_epochs,
        offset=request.offset,
        blend=request.blend,
        init=request.init,
        first_epoch=int(request.first_epoch),
        schedule=COSINE if is_binary else FLAT,
        weight_average=0.0 if is_binary else WEIGHT_AVERAGE,
        width_rates=width_rates_of(request),
    )
    return replace(usual, **fixed)


def width_rates_of(request: HpoRequest) -> str:
    """Say how the learning rate follows the width: as asked, else from 20M parameters of a distribution on.

    Examples
    --------
    >>> [width_rates_of(HpoRequest(head="distribution", budget=budget)) for budget in ("2M", "20M", "200M")]
    ['none', 'fan_in', 'fan_in']
    >>> width_rates_of(HpoRequest(head="binary", budget="20M"))
    'none'
    """
    if request.width_rates != AUTO:
        return request.width_rates
    return NONE if request.head == BINARY or request.size.n_params < WIDE_BUDGET else BY_WIDTH


def variant_names(training: Training, architecture: Architecture) -> tuple[str, ...]:
    """Name what tells a study from the usual one of its tier; ``none`` says nothing."""
    is_usual = (architecture.head == DISTRIBUTION) == (architecture.n_static > 0)
    line = DISTRIBUTION_LINEAR if architecture.head == DISTRIBUTION else NONE
    offset = training.offset if training.offset != NONE else "no_offset"
    return (
        NONE if is_usual else architecture.head,
        NONE if training.offset == line else offset,
        architecture.instance_norm,
        training.blend.replace(":", ""),
    )
