"""The board's link in a real browser: MLflow's view format is undocumented, so a change in it has to fail here."""

import json
import os
import re
import subprocess
import sys
import time

import pytest

from search.tracking.board import (
    LOSSES,
    METRIC_AXES,
    PARAM_AXES,
    UI_ADDRESS,
    board_key,
    board_link,
    board_query,
    save_board,
)
from search.tracking.reader import find_runs
from search.tracking.stores import open_tracking
from search.tracking.tags import BASELINE_ROLE, REGISTRATION_ROLE, ROLE, TEST_ROLE, TRIAL_ROLE, WALK_FORWARD_ROLE

COMMAND = ["hpo", "--budget", "5K", "--trials", "4", "--max-epochs", "1", "--workers", "1", "--device", "cpu"]
CHART_SECONDS = 1500

# The chart is drawn on a canvas; what it was given stands in the properties of the React component around it.
CHART = """
const chart = document.querySelector('.parcoords');
if (!chart || !chart.querySelector('g.dimension')) return null;
let node = chart[Object.keys(chart).find(key => key.startsWith('__reactFiber$'))];
while (node && !(node.memoizedProps && node.memoizedProps.selectedParams && Array.isArray(node.memoizedProps.data)))
    node = node.return;
const labels = [...chart.querySelectorAll('g.dimension text.label')].map(label => label.textContent);
return {labels: labels, rows: node ? node.memoizedProps.data : null};
"""


def _chart(browser, n_trials):
    deadline, found = time.monotonic() + CHART_SECONDS, None
    while time.monotonic() < deadline:
        found = browser.execute_script(CHART)
        if found and found["rows"] and len(found["rows"]) >= n_trials:
            return found
        time.sleep(0.5)
    pytest.fail(f"the parallel-coordinates chart did not show {n_trials} trials, got {found}")


@pytest.mark.slow
@pytest.mark.lesson("L1")
@pytest.mark.lesson("L32")
def test_the_printed_link_shows_every_trial_and_the_n_heads_axis(home, project, stores, ui, browser, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "search", *COMMAND],
        env={**os.environ, "PYTHONPATH": str(project)},
        capture_output=True,
        text=True,
        timeout=1500,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (link,) = set(re.findall(rf"{re.escape(UI_ADDRESS)}/\S+", done.stdout))
    client = open_tracking(stores)
    runs = client.search_runs(["1"], "tags.`run.role` = 'trial' and attributes.status = 'FINISHED'")
    assert len(runs) == 4
    try:
        browser.get(link.replace(UI_ADDRESS, ui()))
        chart = _chart(browser, len(runs))
        assert chart["labels"][: len(PARAM_AXES)] == list(PARAM_AXES)
        assert "n_heads" in chart["labels"]
        assert chart["labels"][-1] == "best/loss"
        assert len(chart["labels"]) == len(PARAM_AXES) + len(METRIC_AXES)
        rows = {row["uuid"]: row for row in chart["rows"]}
        assert set(rows) == {run.info.run_id for run in runs}
        for run in runs:
            row = rows[run.info.run_id]
            assert {name: row[name] for name in PARAM_AXES} == {name: run.data.params[name] for name in PARAM_AXES}
            assert {name: row[name] for name in METRIC_AXES} == {name: run.data.metrics[name] for name in METRIC_AXES}
        page = browser.find_element("tag name", "body").text
        for run in runs:
            assert run.info.run_name in page
        assert LOSSES in page
    except BaseException:
        picture = tmp_path / "board.png"
        browser.save_screenshot(str(picture))
        print(f"what the browser showed: {picture}")
        raise


def test_the_link_names_the_view_that_was_saved(make_study):
    study = make_study(2)
    save_board(study.client, study.experiment_id, study.plan.study)
    key = board_key(study.plan.study)
    assert f"viewStateShareKey={key}" in board_link(study.experiment_id, study.plan.study)
    assert f"mlflow.sharedViewState.{key}" in study.client.get_experiment(study.experiment_id).tags


def test_a_study_that_searches_windows_shows_them_on_axes_and_no_more_axes_than_others(make_study):
    study = make_study(2)
    tag = f"mlflow.sharedViewState.{board_key(study.plan.study)}"
    for grid in (["n_heads", "d_model"], ["n_heads", "context_length", "stride"]):
        save_board(study.client, study.experiment_id, study.plan.study, searched=grid)
        charts = json.loads(study.client.get_experiment(study.experiment_id).tags[tag])["compareRunCharts"]
        (axes,) = [chart["selectedParams"] for chart in charts if chart["type"] == "PARALLEL"]
        assert len(axes) == len(set(axes)) == len(PARAM_AXES) and axes[0] == "n_heads"
        assert set(axes) >= set(grid)


def test_the_link_opens_the_server_that_holds_the_record():
    at_home = board_link("1", "a")
    assert at_home.startswith(f"{UI_ADDRESS}/#/experiments/1/")
    assert board_link("1", "a", "sqlite:////a/mlflow.db") == board_link("1", "a", "postgresql://me@host/db") == at_home
    assert board_link("1", "a", "https://me:geheim@mlflow.example.org/base/").startswith(
        "https://mlflow.example.org/base/#/experiments/1/"
    )


def test_the_board_shows_trials_and_marked_baselines_and_no_other_run(make_study):
    study = make_study(2)
    for role in (TRIAL_ROLE, BASELINE_ROLE, WALK_FORWARD_ROLE, REGISTRATION_ROLE, TEST_ROLE):
        study.start_run(role, role=role)
    shown = find_runs(study.client, [study.experiment_id], board_query(study.plan.study))
    assert {run.data.tags[ROLE] for run in shown} == {TRIAL_ROLE, BASELINE_ROLE}
