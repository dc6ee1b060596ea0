from search.trial.remarks import trial_remarks


def test_remarks_say_what_the_record_holds_and_nothing_else():
    assert trial_remarks({}) == []
    both = trial_remarks({"attention/entropy": 0.9, "best/crps": 0.4, "best/crps_climatology": 0.5})
    assert both[0].startswith("attention is not uniform")
    assert both[1].startswith("CRPS 0.400 % of the close") and "before any blend" in both[1]
    assert trial_remarks({"best/crps": 0.4}) == []
