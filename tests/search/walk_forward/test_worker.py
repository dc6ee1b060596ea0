from dataclasses import asdict

from search.folds.forecast import Job, Outcome
from search.walk_forward.worker import do_jobs
from search.walk_forward.workers import write_setup

JOB = Job(year=2016, seed=1, n_epochs=2)
FOUND = Outcome(n_epochs=2, seconds=0.5, p=(0.1, 1 / 3))


class Orders:
    """Orders that were given before, and what is reported."""

    def __init__(self, *orders):
        self.orders, self.reported = list(orders), []
        self.take, self.report = lambda: self.orders.pop(0), self.reported.append


class Forecaster:
    def run(self, job):
        if job != JOB:
            raise ValueError("no such luck")
        return FOUND


def test_the_first_order_is_what_is_walked_and_every_further_one_a_job(monkeypatch, subject):
    seen = []
    monkeypatch.setattr("search.walk_forward.walk.load_walk_forward_data", lambda *a, **named: seen.append((a, named)))
    monkeypatch.setattr("search.walk_forward.walk.make_forecaster", lambda *a: Forecaster())
    orders = Orders(write_setup(subject, (2015, 2016)), asdict(JOB))
    do = do_jobs("study", "cpu", orders)
    assert seen == [(("study", subject, 2015, 2016), {"device": "cpu"})]
    do(orders.take())
    do({**asdict(JOB), "year": 1999})
    done, failed = orders.reported
    assert done["event"] == "done" and Outcome.from_dict(done) == FOUND
    assert failed == {"event": "failed", "error": "ValueError: no such luck"}
