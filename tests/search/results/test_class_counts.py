import pytest

from search.results.class_counts import counts_in_words, validation_counts


@pytest.mark.lesson("L50")
def test_too_few_days_of_either_class_are_said():
    assert counts_in_words(1502, 10) == "1,502 days, 10 positive"
    for positive in (0, 9, 493, 502):
        assert counts_in_words(502, positive).endswith(": fewer than 10 of a class carry no interval")


@pytest.mark.lesson("L50")
@pytest.mark.usefixtures("forked_workers")
def test_a_studys_counts_are_those_of_its_record(make_trained, command):
    study = make_trained(2, 1)
    assert validation_counts(study) == "days unknown", "nothing was logged of its data yet"
    code, out, _ = command(
        "hpo", "--budget", "5K", "--tier", "r25", "--trials", "1", "--max-epochs", "1", "--patience", "1"
    )
    assert code == 0
    said = validation_counts(study)
    days, positive = (int(part.split()[0]) for part in said.split(", "))
    assert 200 < days < 520 and 10 <= positive < days
    assert said in " ".join(out.split())
