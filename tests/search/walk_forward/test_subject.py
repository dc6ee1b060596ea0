import json
from dataclasses import replace

import pytest

from model.baselines import BASELINES
from pipeline.exceptions import InputError, RecordError, StoreError
from search.walk_forward.subject import read_spec, read_subjects


def write(path, spec):
    path.write_text(json.dumps(spec.params()))
    return str(path)


def trial_run(study):
    return study.finished()[0].user_attrs["run_id"]


def test_a_trial_is_found_by_its_run_with_its_own_study(stores, study, run_trials):
    run_trials(study, 1)
    found, (subject,) = read_subjects(stores, trial_run(study))
    assert found.run_id == study.run_id
    label = subject.spec.architecture.label
    assert (subject.name, subject.baseline) == (f"trial 0 {label}", None)
    assert subject.spec.hash == study.finished()[0].user_attrs["spec_hash"]
    with pytest.raises(InputError, match="walked forward on its own study's days, got --study other"):
        read_subjects(stores, trial_run(study), "other")


@pytest.mark.slow
def test_a_studys_name_means_its_best_trial_or_the_one_of_a_number(stores, study, run_trials, tmp_path):
    run_trials(study, 2)
    best = min(study.finished(), key=lambda trial: trial.value)
    named = read_subjects(stores, study.plan.study)[1]
    assert named == read_subjects(stores, best.user_attrs["run_id"][:8])[1]
    assert named == read_subjects(stores, study.plan.study, trial=best.number)[1]
    (other,) = read_subjects(stores, study.plan.study, trial=1 - best.number)[1]
    assert other.name.startswith(f"trial {1 - best.number} ")
    with pytest.raises(InputError, match="--trial is of a study's name, got baselines and --trial 1"):
        read_subjects(stores, "baselines", study.plan.study, 1)


@pytest.mark.slow
@pytest.mark.lesson("L1")
def test_a_trial_that_is_not_whole_is_refused(stores, study, run_trials, alter):
    run_trials(study, 1)
    run_id = trial_run(study)
    study.client.set_tag(run_id, "record.state", "invalid: changed d_ff")
    with pytest.raises(InputError, match=r"got trial 0 \(run \w+\) which has a record .* \(invalid: changed d_ff\)"):
        read_subjects(stores, run_id)
    study.client.set_tag(run_id, "record.state", "valid")
    alter(run_id, "learning_rate", "0.5")
    with pytest.raises(InputError, match=r"not trusted .*spec_hash must be that of its spec"):
        read_subjects(stores, run_id)
    study.client.set_terminated(run_id, "KILLED")
    with pytest.raises(InputError, match=r"walk forward a finished trial, got trial 0 \(run \w+\) which is KILLED"):
        read_subjects(stores, run_id)
    with pytest.raises(InputError, match=r"must be named by its own run, got .* of a study run"):
        read_subjects(stores, study.run_id)


def test_a_spec_file_and_the_baselines_need_a_study(stores, study, spec, tmp_path):
    path = write(tmp_path / "spec.json", spec)
    for what in (path, "baselines"):
        with pytest.raises(InputError, match="got no study; add --study NAME"):
            read_subjects(stores, what)
    _, (subject,) = read_subjects(stores, path, study.plan.study)
    assert subject.spec == spec and subject.name == f"spec {spec.architecture.label} {spec.hash[:8]}"
    _, subjects = read_subjects(stores, "baselines", study.plan.study)
    assert [each.name for each in subjects] == [f"baseline {name}" for name in BASELINES]
    assert not any(each.spec for each in subjects)


@pytest.mark.lesson("L7")
@pytest.mark.lesson("L9")
def test_a_spec_of_other_data_target_or_split_is_refused_by_field(stores, study, spec, tmp_path):
    others = {
        "dataset": replace(spec, data=replace(spec.data, dataset="0" * 32)),
        "horizon": replace(spec, target=replace(spec.target, horizon=3)),
        "train_end": replace(spec, split=replace(spec.split, train_end=spec.split.train_end.replace(month=6, day=1))),
    }
    for field, other in others.items():
        with pytest.raises(InputError, match=rf"split of study \S+ got \S+ with {field} \S+, the study"):
            read_subjects(stores, write(tmp_path / f"{field}.json", other), study.plan.study)


def test_what_is_neither_is_refused(stores, study, tmp_path):
    with pytest.raises(StoreError, match=r"study must be one that patchscale made, got 'nothing'; there are "):
        read_subjects(stores, "nothing")
    for text in ("[1]", '{"d_model": 64}', "no json"):
        (tmp_path / "broken.json").write_text(text)
        with pytest.raises(InputError, match="runs keep as spec"):
            read_spec(tmp_path / "broken.json")
    (tmp_path / "part.json").write_text('{"d_model": "64"}')
    with pytest.raises(RecordError, match="missing"):
        read_spec(tmp_path / "part.json")


def test_params_of_a_baseline_are_its_run_s(study):
    from search.trial.baselines import SETTINGS_HASH, baseline_params
    from search.walk_forward.subject import Subject

    baseline = BASELINES["logistic"]
    params = Subject(name="x", baseline=baseline).params(study)
    assert params == {k: v for k, v in baseline_params(study, baseline).items() if k != SETTINGS_HASH}
