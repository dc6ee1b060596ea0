from search.workers.engine import DONE, GONE, Engine
from search.workers.local import LocalEngine


def test_an_engine_has_everything_that_the_coordinator_asks_of_one():
    asked = {name for name in vars(Engine) if not name.startswith("_")} | {"__enter__", "__exit__"}
    assert asked <= set(dir(LocalEngine))
    assert not set(DONE) & set(GONE)
