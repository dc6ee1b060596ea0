import json

from search.audit.status import study_states


def test_nothing_is_an_empty_list_and_says_what_starts_a_study(home, command):
    assert command("status", "--json")[1].strip() == "[]"
    assert "patchscale hpo" in command("status")[1]


def test_json_is_what_the_stores_say(make_study, stores, command):
    study = make_study(2)
    code, out, _ = command("status", "--json")
    assert (code, json.loads(out)) == (0, json.loads(json.dumps(study_states(stores))))
    assert study.plan.study in command("status")[1]


def test_watch_and_json_exclude_each_other(home, command):
    code, _, err = command("status", "--watch", "--json")
    assert (code, err) == (2, "error: status shows either --json or --watch, got both; leave one out\n")
