from search.legacy.recover.trial import LegacyOutcome, LegacyTrial, digest

FIELDS = {
    "form": "csv",
    "where": "line 2",
    "content": "{}",
    "study": "s",
    "outcome": LegacyOutcome(status="KILLED", reason="x"),
}


def test_identity_is_form_study_and_content_and_nothing_else():
    first = LegacyTrial(**FIELDS).fingerprint
    assert LegacyTrial(**{**FIELDS, "where": "line 9", "number": 4}).fingerprint == first
    for name, value in (("form", "json list"), ("study", None), ("content", "[]")):
        assert LegacyTrial(**{**FIELDS, name: value}).fingerprint != first


def test_parts_never_run_into_each_other():
    assert digest("a", "bc") != digest("ab", "c")
    assert digest("", None) != digest(None, "")
    assert len(digest("\ud800")) == 64
