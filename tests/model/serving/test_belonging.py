from dataclasses import replace

from model.serving.belonging import disagreement, other_features
from model.serving.package_info import package_facts


def test_members_of_one_kind_agree_and_others_are_named(market, members):
    _, dataset = market("r33")
    specs, _, windows = members("r33", (0, 1))
    facts = package_facts(specs, dataset, windows.rows.train, n_epochs=(1, 1))
    assert disagreement(specs, facts) == other_features(facts) == ""
    shape = replace(specs[0].architecture, n_features=6, n_static=27)
    data = replace(specs[0].data, tier="s33")
    wide = [replace(each, data=data, architecture=shape, tolerance=0.99) for each in specs]
    wide_facts = replace(facts, tier="s33")
    assert disagreement(wide, wide_facts) == "", "static features are read too"
    headed = replace(wide[1], architecture=replace(shape, head="distribution", horizons="1 2"))
    assert disagreement([wide[0], headed], wide_facts) == (
        "got members of different heads: binary (horizons none) and distribution (horizons 1 2)"
    )
    assert "got 32 features for members of 33" in disagreement(specs, replace(facts, features=facts.features[1:]))
    assert "got features" in other_features(replace(facts, features=facts.features[1:]))
