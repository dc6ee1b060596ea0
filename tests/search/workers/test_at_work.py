from search.workers.at_work import AtWork, in_words


def epoch(number, of=6, loss=0.42):
    return {"event": "epoch", "number": 1, "epoch": number, "of": of, "loss": loss, "base_rate_loss": 0.47}


def test_the_pace_is_that_of_the_last_epoch():
    trial = AtWork(label="tiny", began=10.0)
    assert trial.seconds_left(now=15.0) is None and trial.share == 0.0
    trial.heard(epoch(1), now=20.0)
    assert trial.seconds_left(now=20.0) == 50.0
    trial.heard(epoch(2), now=24.0)
    assert trial.seconds_left(now=25.0) == 4 * 4 - 1
    assert trial.seconds_left(now=500.0) == 0.0, "never less than nothing"


def test_a_trial_that_goes_on_is_not_taken_for_a_fast_one():
    trial = AtWork(label="tiny", began=0.0)
    trial.heard(epoch(5), now=30.0)
    assert trial.seconds_left(now=30.0) == 30.0, "one epoch took 30 s here; the four before ran elsewhere"


def test_a_model_that_was_not_trained_tells_no_pace():
    trial = AtWork(label="tiny", began=0.0)
    trial.heard(epoch(0), now=3.0)
    assert trial.seconds_left(now=3.0) is None
    assert trial.cells(now=3.0) == ("tiny", "0/6", "0.4200", "0.4700", "3 s", "–")


def test_what_older_workers_say_is_enough():
    trial = AtWork(label="", began=0.0)
    trial.heard({"event": "epoch", "number": 1, "epoch": 1, "of": 2}, now=1.0)
    assert trial.cells(now=1.0) == ("", "1/2", "–", "–", "1 s", "1 s")
    assert "loss" not in trial.line(now=1.0)


def test_units_follow_the_length():
    assert [in_words(s) for s in (119.4, 121, 3599, 3601, 47 * 3600, 49 * 3600)] == [
        "119 s",
        "2 min",
        "60 min",
        "1.0 h",
        "47.0 h",
        "2.0 d",
    ]
