import gc
import json

import optuna
import pytest
from mlflow import MlflowClient

from pipeline.exceptions import InputError
from search.legacy.record.importer import import_files, parse_files
from search.legacy.record.states import legacy_states
from search.legacy.record.twins import Known
from search.legacy.recover.column_map import read_map
from search.legacy.recover.trial import LegacyTrial
from search.tracking.stores import open_tracking
from search.tracking.tags import BASELINE_ROLE, PARENT
from tests.search.legacy.conftest import runs_of

STUDY = "[I 2025-12-12 00:00:00,000] A new study created in memory with name: phase6a_2M_h1_threshold_1pct\n"
START = (
    "[I 2025-12-13 03:51:{0:02d},140] Trial {0}: arch_idx=57, d_model=64, n_layers=48, params=2,414,273, lr=0.000100, "
    "epochs=50, batch_size=32\n"
)
FINISH = "Trial {0} finished with value: {1} and parameters: {{'arch_idx': 57}}.\n"
LOG = STUDY + "".join(START.format(n) + FINISH.format(n, value) for n, value in enumerate(("0.34", "0.33", "inf")))
LIST = [{"number": n, "value": 0.7 + n / 100, "params": {"d_model": 64, "n_heads": 8}} for n in range(3)]


def by_number(runs):
    return {run.data.tags["trial.number"]: run for run in runs}


def test_a_log_becomes_runs_under_a_parent(importing, recorded, stores):
    [report], everything = importing(study__log=LOG + START.format(9))
    runs = by_number(recorded())
    assert (report.written, report.present, len(runs)) == (4, 0, 4)
    assert [runs[n].info.status for n in "0129"] == ["FINISHED", "FINISHED", "FAILED", "KILLED"]
    assert runs["0"].data.metrics["best/loss"] == 0.34
    assert runs["0"].data.params["n_heads"] == "8"
    assert runs["0"].data.tags["origin"] == "legacy"
    assert runs["0"].data.tags["legacy.n_heads"] == "recovered (grid v1, 20 features)"
    assert (runs["2"].data.tags["legacy.value"], runs["2"].data.tags["status.reason"]) == (
        "inf",
        "value inf is not finite",
    )
    [parent] = [run for run in everything if run.data.tags["run.role"] == "legacy-study"]
    assert {run.data.tags[PARENT] for run in runs.values()} == {parent.info.run_id}
    assert (parent.info.run_name, parent.info.status) == ("phase6a_2M_h1_threshold_1pct", "FINISHED")
    client = open_tracking(stores)
    assert client.get_experiment(parent.info.experiment_id).name == "patchscale-legacy-h1"
    [artifact] = client.list_artifacts(parent.info.run_id)
    assert artifact.path.startswith("import-")


def test_importing_twice_adds_nothing_even_under_another_name(importing, recorded):
    importing(study__log=LOG, trials__json=LIST)
    before = {run.info.run_id for run in recorded()}
    reports, everything = importing(study__log=LOG, trials__json=LIST, renamed__log=LOG, renamed__json=LIST)
    assert {run.info.run_id for run in recorded()} == before
    assert [(r.written, r.present, len(r.repeated)) for r in reports] == [(0, 3, 0), (0, 3, 0), (0, 0, 3), (0, 0, 3)]
    reports, again = importing(renamed__log=LOG, renamed__json=LIST)
    assert [(r.written, r.present) for r in reports] == [(0, 3), (0, 3)]
    assert len(everything) == len(again) == len(before) + 2


@pytest.mark.parametrize(
    ("call", "after"),
    [
        *[("create_run", n) for n in (1, 2, 4)],
        *[("log_batch", n) for n in (1, 3)],
        *[("set_terminated", n) for n in (1, 3, 4)],
    ],
)
def test_an_interrupted_import_is_completed(importing, recorded, monkeypatch, call, after):
    real, calls = getattr(MlflowClient, call), []

    def interrupted(*arguments, **options):
        calls.append(1)
        if len(calls) == after:
            raise KeyboardInterrupt
        return real(*arguments, **options)

    monkeypatch.setattr(MlflowClient, call, interrupted)
    with pytest.raises(KeyboardInterrupt):
        importing(study__log=LOG)
    monkeypatch.setattr(MlflowClient, call, real)
    finished = {run.info.run_id for run in recorded() if run.info.status != "RUNNING"}
    [report], everything = importing(study__log=LOG)
    runs = recorded()
    assert report.written + report.present == 3
    assert sorted(by_number(runs)) == ["0", "1", "2"]
    assert len(everything) == 4
    assert finished <= {run.info.run_id for run in runs}
    assert all(run.info.status in ("FINISHED", "FAILED") for run in everything)


def test_a_log_that_has_grown_adds_what_is_new_and_finishes_what_was_not(importing, recorded):
    importing(study__log=STUDY + START.format(0) + FINISH.format(0, "0.34") + START.format(1))
    first = by_number(recorded())
    [report], everything = importing(study__log=LOG)
    runs = by_number(recorded())
    assert (report.written, report.present, report.replaced) == (2, 1, 1)
    assert runs["0"].info.run_id == first["0"].info.run_id
    assert runs["1"].info.status == "FINISHED"
    assert len(everything) == 4
    [older], _ = importing(study__log=STUDY + START.format(0) + FINISH.format(0, "0.34") + START.format(1))
    assert (older.written, older.present) == (0, 2)


def test_nothing_is_written_if_one_of_several_files_is_broken(importing, stores):
    with pytest.raises(InputError, match="half-written"):
        importing(study__log=LOG, broken__json=json.dumps(LIST)[:-5])
    assert [e.name for e in open_tracking(stores).search_experiments()] == ["Default"]


@pytest.mark.lesson("L3")
def test_what_the_source_does_not_say_is_no_param(importing, recorded):
    importing(trials__json=[{"number": 0, "value": 0.7, "params": {}}])
    [run] = recorded()
    assert run.data.params == {}
    assert run.data.metrics == {"best/objective": 0.7}
    assert run.data.tags["legacy.n_heads"] == "unknown"


@pytest.mark.lesson("L4")
def test_forced_and_sampled_trials_leave_the_same_params(importing, recorded):
    sampled = {"number": 0, "value": 0.7, "params": {"n_heads": 8, "dropout": 0.3}}
    forced = {"number": 1, "value": 0.7, "params": {}, "user_attrs": {"forced_n_heads": 8, "forced_dropout": 0.3}}
    importing(trials__json=[sampled, forced])
    first, second = recorded()
    assert first.data.params == second.data.params == {"n_heads": "8", "dropout": "0.3"}


@pytest.mark.lesson("L9")
def test_runs_are_kept_out_of_every_query_for_trials(importing, recorded, stores):
    importing(study__log=LOG)
    client = open_tracking(stores)
    experiments = [e.experiment_id for e in client.search_experiments()]
    for role in ("trial", "study", BASELINE_ROLE):
        assert list(client.search_runs(experiments, f"tags.`run.role` = '{role}'")) == []
    assert all(run.inputs.dataset_inputs == [] for run in recorded())


def test_the_board_shows_them(importing, stores):
    _, everything = importing(study__log=LOG)
    client = open_tracking(stores)
    experiment = client.get_experiment(everything[0].info.experiment_id)
    view = json.loads(experiment.tags["mlflow.sharedViewState.legacy"])
    shown = client.search_runs([experiment.experiment_id], view["searchFilter"])
    assert len(shown) == 3
    chart = view["compareRunCharts"][0]
    finished = [run for run in shown if run.info.status == "FINISHED"]
    assert all({"d_model", "n_layers", "n_heads", "d_ff"} <= set(run.data.params) for run in finished)
    assert all(set(chart["selectedMetrics"]) <= set(run.data.metrics) for run in finished)


def test_rows_of_one_table_are_parted_by_horizon(importing, stores, csv_text):
    rows = [{"experiment": f"phase6a_2M_h{h}_threshold_1pct", "horizon": h, "val_loss": f"0.{h}"} for h in (1, 3, 3)]
    rows[2]["val_loss"] = "0.35"
    _, everything = importing(results__csv=csv_text(*rows))
    parents = [run for run in everything if run.data.tags["run.role"] == "legacy-study"]
    assert sorted(run.info.run_name for run in parents) == ["results.csv h1", "results.csv h3"]
    names = {e.experiment_id: e.name for e in open_tracking(stores).search_experiments()}
    assert sorted(names[run.info.experiment_id] for run in parents) == ["patchscale-legacy-h1", "patchscale-legacy-h3"]


def studies(everything):
    return sorted(run.info.run_name for run in everything if run.data.tags["run.role"] == "legacy-study")


def test_what_names_no_study_is_called_by_folder_and_file_and_two_of_a_name_by_more(stores, tmp_path):
    named = {"experiment": "phase6a_2M_h1", "trials": [{"trial_number": 0, "value": 0.3}]}
    for folder, change in (("a50", 0.0), ("a200", 0.1)):
        (tmp_path / folder).mkdir()
        unnamed = [{**each, "value": each["value"] + change} for each in LIST]
        other = {**named, "trials": [{"trial_number": 0, "value": 0.3 + change}]}
        for name, document in (("all_trials.json", unnamed), ("study.json", other)):
            (tmp_path / folder / name).write_text(json.dumps(document))
        import_files(stores, parse_files(sorted((tmp_path / folder).iterdir())))
    assert studies(runs_of(stores)) == [
        "a200/all_trials.json",
        "a200/phase6a_2M_h1",
        "a50/all_trials.json",
        "phase6a_2M_h1",
    ]


def test_files_of_a_trial_each_are_one_study_of_their_folder(stores, tmp_path):
    folder = tmp_path / "phase6c"
    folder.mkdir()
    for n in range(3):
        (folder / f"trial_{n}.json").write_text(json.dumps({**LIST[n], "architecture": {"d_model": 64}}))
    import_files(stores, parse_files([folder / "trial_0.json", folder / "trial_1.json"]))
    import_files(stores, parse_files(sorted(folder.iterdir())))
    everything = runs_of(stores)
    assert (studies(everything), len(everything)) == (["phase6c"], 4)


@pytest.mark.lesson("L45")
def test_trials_of_mixed_studies_have_no_metric_that_is_compared(importing, recorded):
    other = STUDY.replace("2M_h1", "2M_h3")
    importing(study__log=STUDY + START.format(0) + other + FINISH.format(0, "0.1"))
    [run] = recorded()
    assert "mixed" in run.data.tags["legacy.flags"]
    assert not any(name.startswith("best/") for name in run.data.metrics)
    assert (run.data.metrics["mixed/loss"], run.data.tags["legacy.comparable"]) == (0.1, "no")


JSON_OF_LOG = {
    "experiment": "phase6a_2M_h1_threshold_1pct",
    "budget": "2M",
    "trials": [
        {"trial_number": n, "val_loss": value, "lr": 0.0001, "d_model": 64, "duration_seconds": 5.0, "val_auc": 0.7}
        for n, value in ((0, 0.34), (1, 0.33), (5, 0.36))
    ],
}


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("first", ["study__log", "trials__json"])
def test_a_study_that_is_there_as_log_and_as_json_is_one_and_names_both(importing, recorded, together, first):
    files = {"study__log": LOG.replace("1pct\n", "1pct_2M\n"), "trials__json": JSON_OF_LOG}
    order = sorted(files, key=lambda name: name != first)
    for part in [order] if together else [[name] for name in order]:
        importing(**{name: files[name] for name in part})
    _, everything = importing(**files)
    runs = by_number(recorded())
    assert (len(recorded()), sorted(runs), len(studies(everything))) == (4, ["0", "1", "2", "5"], 1)
    [parent] = [run for run in everything if run.data.tags["run.role"] == "legacy-study"]
    assert set(parent.data.tags["legacy.file"].split(", ")) == {"study.log", "trials.json"}
    both = runs["0"]
    assert {both.data.tags["legacy.file"], both.data.tags["legacy.also"].split(" ")[0]} == {"study.log", "trials.json"}
    assert both.data.metrics["seconds"] == 5.0 and both.data.params["batch_size"] == "32", "each adds what it says"
    assert both.data.metrics["best/loss"] == 0.34 and both.data.metrics["best/roc_auc"] == 0.7


@pytest.mark.parametrize(
    "change",
    [{"val_loss": 0.35}, {"trial_number": 8}, {"lr": 0.0002}, {"d_model": 128}],
    ids=lambda change: next(iter(change)),
)
def test_what_differs_is_another_trial(importing, recorded, change):
    document = {**JSON_OF_LOG, "trials": [{**JSON_OF_LOG["trials"][0], **change}]}
    importing(study__log=LOG, trials__json=document)
    assert len(recorded()) == 4


def test_curves_are_metrics_by_step(importing, recorded, stores):
    entry = {
        "number": 0,
        "value": 0.3,
        "learning_curve": [{"epoch": n, "val_loss": 0.5 - n / 1e4} for n in range(1500)],
    }
    importing(trials__json=[entry])
    [run] = recorded()
    curve = open_tracking(stores).get_metric_history(run.info.run_id, "val/loss")
    assert [point.step for point in curve] == list(range(1500))


def test_a_board_is_ordered_by_the_result_that_its_runs_have(importing, stores):
    _, everything = importing(trials__json=[{"number": n, "val_auc": 0.7 + n / 100} for n in range(3)])
    experiment = open_tracking(stores).get_experiment(everything[0].info.experiment_id)
    view = json.loads(experiment.tags["mlflow.sharedViewState.legacy"])
    assert (view["orderByKey"], view["orderByAsc"]) == ("metrics.`best/roc_auc`", False)
    assert "best/roc_auc" in view["compareRunCharts"][0]["selectedMetrics"]


@pytest.fixture
def foreign(tmp_path):
    """A journal of Optuna with a trial that runs, a table that names no study, a folder of Ray Tune."""
    folder = tmp_path / "theirs"
    (folder / "tune" / "a").mkdir(parents=True)
    storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(folder / "journal.log")))
    study = optuna.create_study(study_name="theirs", storage=storage, direction="maximize")
    done, _ = study.ask(), study.ask()
    done.report(0.6, 0)
    done.set_user_attr("note", "kept")
    study.tell(done, 0.7)
    (folder / "runs.csv").write_text("number,value,params_n_heads,state\n0,0.7,8,COMPLETE\n1,,8,RUNNING\n")
    (folder / "tune" / "a" / "params.json").write_text('{"n_heads": 8}')
    (folder / "tune" / "a" / "result.json").write_text('{"val_loss": 0.3, "training_iteration": 1, "trial_id": "a"}\n')
    return folder, study


def test_what_others_recorded_is_kept_and_again_adds_nothing_from_wherever(foreign, stores, tmp_path, recorded):
    folder, study = foreign
    import_files(stores, parse_files(sorted(folder.iterdir()), columns=read_map([]), objective="maximize"))
    before = {run.info.run_id for run in recorded()}
    assert len(before) == 5 and len(studies(runs_of(stores))) == 3
    [complete] = [run for run in recorded() if run.data.tags.get("legacy.attr.note") == "kept"]
    frozen = study.trials[0]
    assert complete.info.start_time == int(frozen.datetime_start.timestamp() * 1000)
    assert complete.info.end_time == int(frozen.datetime_complete.timestamp() * 1000)
    assert (complete.data.metrics["best/objective"], complete.data.metrics["intermediate"]) == (0.7, 0.6)
    moved = folder.rename(tmp_path / "moved")
    reports = parse_files(sorted(moved.iterdir()), objective="maximize")
    import_files(stores, reports)
    assert [report.written for _, report in reports] == [0, 0, 0]
    assert {run.info.run_id for run in recorded()} == before and len(studies(runs_of(stores))) == 3
    best = {state["study"]: state["best_objective"] for state in legacy_states(open_tracking(stores))}
    assert best["theirs"] == 0.7


def test_a_trial_that_has_ended_since_takes_the_place_of_the_one_that_ran(foreign, stores, recorded):
    folder, study = foreign
    import_files(stores, parse_files([folder / "journal.log"]))
    study.tell(1, 0.8)
    reports = parse_files([folder / "journal.log"])
    import_files(stores, reports)
    assert [(report.written, report.replaced, report.present) for _, report in reports] == [(1, 1, 1)]
    assert sorted(run.info.status for run in recorded()) == ["FINISHED", "FINISHED"]


def test_hostile_names_reach_the_store_harmless(importing, recorded):
    name = "a\u0000b\ud800'; DROP TABLE runs; --\n\x1b[2J" + "x" * 5000
    importing(study__json=json.dumps({"experiment": name, "trials": [{"number": 0, "value": 0.3}]}))
    [run] = recorded()
    assert run.data.tags["study.name"].isprintable()


def test_parsing_alone_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "study.log").write_text(LOG)
    [(_, report)] = parse_files([tmp_path / "study.log"])
    assert len(report.trials) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["study.log"]


def test_an_import_holds_one_trial_at_a_time(stores, tmp_path):
    path = tmp_path / "study.log"
    path.write_text(STUDY + "".join(START.format(n) + FINISH.format(n, f"0.{n + 20}") for n in range(12)))

    def held():
        return sum(isinstance(each, LegacyTrial | Known) for each in gc.get_objects())

    gc.freeze()  # what was there before is not looked through
    try:
        before, counts = held(), []
        import_files(stores, parse_files([path]), lambda: counts.append(held() - before))
    finally:
        gc.unfreeze()
    assert len(counts) == 12 and max(counts) <= 2


@pytest.mark.lesson("L40")
def test_a_second_import_waits_for_the_first_and_adds_nothing(launch, home, recorded):
    (home / "study.log").write_text(LOG, encoding="utf-8")
    both = [launch("import", "study.log") for _ in range(2)]
    said = [process.communicate(timeout=1500)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert len(recorded()) == 3
