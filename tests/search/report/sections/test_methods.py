from search.report.sections.methods import methods_section


def test_it_says_what_is_not_shown_and_with_what_it_was_made(material, measured):
    said = " ".join(block.text for block in methods_section(material, measured).blocks)
    assert f"the test split from {material.plan.split.test_start} on" in said
    assert "torch 2.13.0" in said and "200 resamples" in said and "other seeds" in said
