def test_bad_input_is_one_line_and_exit_2(home, command):
    for arguments, words in (
        (("NOPE",), "study must be one that patchscale made"),
        ((), "Missing argument 'STUDIES...'"),
        (("A", "--resamples", "10"), "resamples must be a whole number, at least 200, got '10'"),
    ):
        code, out, err = command("scaling", *arguments)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert words in err


def test_studies_are_fitted_together_with_what_was_typed(record, command, monkeypatch):
    opened = record("search.study.study.load_study", "opened")
    fitted = record("search.scaling.scaling_of", "found")
    record("search.scaling.text.scaling_to_dict", {"finding": "falls"})
    code, out, _ = command("scaling", "A", "B", "--resamples", "300", "--seed", "7", "--json")
    assert (code, out) == (0, '{\n  "finding": "falls"\n}\n')
    assert [arguments[1] for arguments, _ in opened] == ["A", "B"]
    assert fitted == [((["opened", "opened"],), {"n_resamples": 300, "seed": 7})]


def test_more_resamples_than_memory_holds_are_refused(command):
    code, _, error = command("scaling", "A", "--resamples", "100001")
    assert (code, "resamples must be at most 100,000" in error) == (2, True)
