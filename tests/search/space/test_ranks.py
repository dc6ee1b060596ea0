import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.spec.budget import Budget
from model.spec.spec import Training
from search.space.axes import Axes
from search.space.extremes import extremes
from search.space.grid import make_grid
from search.space.ranks import TRAINING, SearchSpace
from search.study.sampler import TrialSeededSampler

OVERRIDDEN = {
    "two depths": Axes(n_layers=(160, 180)),
    "one depth": Axes(n_layers=(8,)),
    "one width": Axes(d_model=(512,)),
    "one head count": Axes(n_heads=(8,)),
    "windows": Axes(n_layers=(4, 8, 12), context_length=(20, 30, 60), patch_length=(5, 10), stride=(5, 10)),
    "contexts": Axes(context_length=(20, 60)),
    "one architecture": Axes(d_model=(512,), n_layers=(8,), n_heads=(8,), ff_ratio=(2,)),
}
SPACES = {text: SearchSpace(make_grid(Budget(text=text), n_features=25)) for text in ("5K", "2M", "20M", "200M", "2B")}
SPACES |= {
    name: SearchSpace(make_grid(Budget(text="20M"), n_features=25, axes=axes)) for name, axes in OVERRIDDEN.items()
}


@pytest.mark.parametrize("text", SPACES)
def test_every_architecture_has_ranks_that_decode_to_it(text):
    space = SPACES[text]
    distributions = space.distributions()
    for architecture in space.grid.architectures:
        ranks = space.encode(architecture)
        assert space.decode(ranks) == architecture
        assert all(distributions[name]._contains(rank) for name, rank in ranks.items())


@given(st.sampled_from(sorted(SPACES)), st.data())
def test_every_combination_of_ranks_is_a_valid_architecture(text, data):
    space = SPACES[text]
    ranks = {}
    for axis in space.grid.dimensions:
        distribution = space.distributions()[f"{axis}_rank"]
        ranks[f"{axis}_rank"] = data.draw(st.integers(distribution.low, distribution.high))
    architecture = space.decode(ranks)
    assert architecture in space.grid.architectures
    assert all(rank <= ranks[name] for name, rank in space.encode(architecture).items()), "the smallest are its own"


@pytest.mark.parametrize("text", SPACES)
def test_ranks_end_where_the_architectures_do(text):
    """As many ranks an axis as an architecture has neighbours along it; there is no rank beyond."""
    space = SPACES[text]
    axes = space.grid.dimensions
    for i, axis in enumerate(axes):
        values = {}
        for a in space.grid.architectures:
            values.setdefault(tuple(getattr(a, earlier) for earlier in axes[:i]), set()).add(getattr(a, axis))
        distribution = space.distributions()[f"{axis}_rank"]
        assert (distribution.low, distribution.high) == (0, max(map(len, values.values())) - 1)
        beyond = dict.fromkeys((f"{name}_rank" for name in axes), 0) | {f"{axis}_rank": distribution.high + 1}
        with pytest.raises(IndexError):
            space.decode(beyond)


@pytest.mark.lesson("L30")
def test_distributions_depend_on_the_grid_alone():
    first, second = (SearchSpace(make_grid(Budget(text="2M"), n_features=25)).distributions() for _ in range(2))
    assert first == second == SPACES["2M"].distributions()


@pytest.mark.slow
@pytest.mark.lesson("L30")
@pytest.mark.parametrize(
    ("text", "kind"), [*((text, "tpe") for text in ("2M", *OVERRIDDEN)), ("one depth", "gp"), ("one depth", "random")]
)
def test_every_trial_of_a_study_has_the_same_ordinal_distributions(text, kind):
    space = SPACES[text]
    study = optuna.create_study(sampler=TrialSeededSampler(0, kind))
    for architecture in extremes(space.grid):
        study.enqueue_trial({**space.encode(architecture), **{n: getattr(Training(), n) for n in TRAINING}})
    for number in range(12):
        trial = study.ask(space.distributions())
        assert trial.distributions == space.distributions()
        assert space.decode(trial.params) in space.grid.architectures
        study.tell(trial, float(number % 5))
    assert not any(isinstance(d, optuna.distributions.CategoricalDistribution) for d in space.distributions().values())
    assert all(trial.distributions == space.distributions() for trial in study.trials)


@pytest.mark.lesson("L4")
def test_forced_trials_can_use_the_default_training_parameters():
    for name, distribution in TRAINING.items():
        assert distribution._contains(getattr(Training(), name)), name


@pytest.mark.lesson("L30")
def test_a_window_that_is_not_searched_is_nothing_that_a_sampler_sees():
    fixed = SearchSpace(make_grid(Budget(text="20M"), n_features=25, axes=Axes(context_length=(30,))))
    assert fixed.distributions().keys() == SPACES["20M"].distributions().keys()
    searched = SPACES["contexts"]
    assert searched.distributions().keys() - fixed.distributions().keys() == {"context_length_rank"}
    assert searched.hash != SPACES["20M"].hash and searched.describe()["context_length"] == [20, 60]
