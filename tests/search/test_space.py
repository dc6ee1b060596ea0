import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.budget import Budget
from model.spec import Training
from search.grid import AXES, make_grid
from search.space import TRAINING, SearchSpace

SPACES = {text: SearchSpace(make_grid(Budget(text=text), n_features=25)) for text in ("5K", "2M", "20M", "200M", "2B")}


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
    for axis in AXES:
        distribution = space.distributions()[f"{axis}_rank"]
        ranks[f"{axis}_rank"] = data.draw(st.integers(distribution.low, distribution.high))
    assert space.decode(ranks) in space.grid.architectures


@pytest.mark.lesson("L30")
def test_distributions_depend_on_the_grid_alone():
    first, second = (SearchSpace(make_grid(Budget(text="2M"), n_features=25)).distributions() for _ in range(2))
    assert first == second == SPACES["2M"].distributions()


@pytest.mark.lesson("L4")
def test_forced_trials_can_use_the_default_training_parameters():
    for name, distribution in TRAINING.items():
        assert distribution._contains(getattr(Training(), name)), name
