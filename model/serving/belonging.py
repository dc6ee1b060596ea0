"""What belongs together: members of one package, and a package and the code that runs it."""

from __future__ import annotations

from collections.abc import Sequence

from model.serving.package_info import PackageFacts
from model.spec.spec import Spec
from pipeline.tiers import find_tier, tier_code_version


def disagreement(specs: Sequence[Spec], facts: PackageFacts) -> str:
    """Say what does not belong together; empty if all does."""
    first = specs[0]
    for spec in specs:
        for name in ("data", "target"):
            if getattr(spec, name) != getattr(first, name):
                return f"got members of different {name}: {getattr(first, name)} and {getattr(spec, name)}"
        if spec.architecture.context_length != first.architecture.context_length:
            lengths = (first.architecture.context_length, spec.architecture.context_length)
            return f"got members of context lengths {lengths[0]} and {lengths[1]}"
        if spec.architecture.horizons != first.architecture.horizons:
            heads = [f"{each.head} (horizons {each.horizons})" for each in (first.architecture, spec.architecture)]
            return f"got members of different heads: {heads[0]} and {heads[1]}"
        n_read = spec.architecture.n_features + spec.architecture.n_static
        if n_read != len(facts.features):
            return f"got {len(facts.features)} features for members of {n_read}"
    said = {
        "ticker": (facts.ticker, first.data.ticker),
        "tier": (facts.tier, first.data.tier),
        "dataset": (facts.dataset, first.data.dataset),
        "seeds": (facts.seeds, tuple(spec.seed for spec in specs)),
    }
    different = [
        f"{name} {fact} in its facts and {own} in its members" for name, (fact, own) in said.items() if fact != own
    ]
    return f"got {different[0]}" if different else ""


def other_features(facts: PackageFacts) -> str:
    """How the features of the code that runs here differ from those trained on, in words; empty if they do not."""
    names = tuple(feature.name for feature in find_tier(facts.tier))
    if names != facts.features:
        return f"got features {', '.join(names)} in this code and {', '.join(facts.features)} in the package"
    here = tier_code_version(facts.tier)
    if here != facts.tier_code:
        return (
            f"got feature code {here} here (TA-Lib among it) and {facts.tier_code} in training; "
            "install the package's requirements and run the code that it carries"
        )
    return ""
