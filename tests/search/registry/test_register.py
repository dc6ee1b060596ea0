def test_try(made, shop, study):
    print(made.said)
    for v in study.client.search_model_versions("name = 'patchscale-^GSPC-h1'"):
        print(v.tags, v.description, v.source, v.aliases)
    assert 0
