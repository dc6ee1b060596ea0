import json
import os
import subprocess
import sys
import time

import pytest

from search.cli import cli, main

SURFACE = {
    "hpo": "budget d_model n_layers n_heads ff_ratio min_head_dim tolerance trials horizon threshold source ticker "
    "train_tickers tier split sampler workers pruner timeout seed max_epochs patience offset instance_norm study "
    "tracking_uri storage device",
    "campaign": "dry_run as_json budgets horizons d_model n_layers n_heads ff_ratio min_head_dim tolerance trials "
    "threshold source ticker train_tickers tier split sampler workers pruner timeout seed max_epochs patience offset "
    "instance_norm tracking_uri storage device",
    "baselines": "study tracking_uri storage",
    "walkforward": "what study seeds first_year last_year workers device tracking_uri storage",
    "import": "paths kind tracking_uri",
    "grid": "budget tier as_json d_model n_layers n_heads ff_ratio min_head_dim tolerance",
    "reconcile": "study tracking_uri storage",
    "status": "as_json watch tracking_uri storage",
    "audit": "study as_json tracking_uri storage",
    "scaling": "studies resamples seed as_json tracking_uri storage",
    "supplement": "study where dry_run workers device tracking_uri storage",
    "gc": "study keep dry_run tracking_uri storage",
    "report": "studies open_page resamples tracking_uri storage",
    "ui": "host port allow_remote tracking_uri",
    "verify": "tracking_uri storage",
    "register": "study trial seeds as_is device force tracking_uri storage",
    "promote": "model_version force tracking_uri storage",
    "rollback": "model to tracking_uri storage",
    "compare": "a b as_json tracking_uri storage",
    "evaluate": "model_version again tracking_uri storage",
    "predict": "model_version ticker horizon threshold source offline as_json tracking_uri storage",
    "power": "days horizon base_rate auc correlation as_json",
}


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    return ended.value.code, *capsys.readouterr()


@pytest.mark.lesson("L32")
def test_the_surface_is_pinned():
    found = {name: " ".join(p.name for p in command.params) for name, command in cli.commands.items()}
    assert {name: found[name].split() for name in SURFACE} == {name: text.split() for name, text in SURFACE.items()}


@pytest.mark.lesson("L34")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--budget", "20Q"], "budget must be a number with K, M or B behind it"),
        (["--budget", "100"], "the nearest is"),
        (["--n-layers", "160,x"], "n_layers must be whole numbers, at least 1, separated by commas, got '160,x'"),
        (["--d-model", "0"], "for instance --d-model 64,128"),
        (["--n-heads", "3", "--d-model", "8"], "got d_model 8 and n_heads 3; take fewer heads"),
        (["--n-layers", "500"], "the nearest is"),
        (["--ff-ratio", "-2"], "got '-2'"),
        (["--min-head-dim", "0"], "for instance --min-head-dim 1"),
        (["--tolerance", "25"], "tolerance must be between 0 and 1"),
        (["--tolerance", "wide"], "tolerance must be a fraction"),
        (["--sampler", "cmaes"], "sampler must be one of tpe, gp, random, got 'cmaes'"),
        (["--trials", "0"], "trials must be a whole number, at least 1, got '0'"),
        (["--trials", "-3"], "got '-3'"),
        (["--trials", "many"], "got 'many'"),
        (["--horizon", "0"], "horizon must be a whole number, at least 1, got '0'"),
        (["--threshold", "nan"], "threshold must be a fraction"),
        (["--threshold", "0"], "threshold must be a fraction"),
        (["--tier", "r99"], "tier must be one of"),
        (["--source", "bloomberg"], "source must be one of"),
        (["--ticker", "NOPE"], "got 'NOPE'"),
        (["--split", "2014-12-31/2015-06-30/2018-12-31"], "validation must have at least 200 days"),
        (["--split", "someday"], "split must be auto or"),
        (["--split", "2016-12-31/2014-12-31/2018-12-31"], "without overlap"),
        (["--workers", "0"], "workers must be auto or"),
        (["--instance-norm", "batch"], "instance_norm must be one of none, revin"),
        (["--offset", "forest"], "offset must be one of none, logistic, boosting"),
        (["--train-tickers", "^IXIC,^IXIC"], "train_tickers must be tickers, each once"),
        (["--train-tickers", "NOPE"], "got 'NOPE'"),
        (["--pruner", "hyperband"], "pruner must be one of median, none"),
        (["--timeout", "soon"], "timeout must be a length of time"),
        (["--timeout", "0s"], "timeout must be a length of time"),
        (["--device", "tpu"], "device must be auto, cpu or cuda"),
        (["--seed", "-1"], "seed must be"),
        (["--max-epochs", "0"], "max_epochs must be"),
        (["--tracking-uri", "sqlite:////nonexistent/x/mlflow.db"], "tracking_uri must lie in a directory that exists"),
        (["--tracking-uri", "http://127.0.0.1:9"], "tracking_uri must be a store that can be reached"),
        (["--storage", "sqlite:////nonexistent/x/optuna.db"], "storage must lie in a directory that exists"),
        (["--split", "2014-12-31/9999-12-31/9999-12-31"], "split must be auto or"),
        (["--horizon", "100000000000000000000"], "horizon must be shorter than the series"),
        (["--seed", "9223372036854775808"], "seed must be"),
        (["--workers", "²"], "workers must be auto or"),
        (["--study", "it's"], "study must be up to 120 letters"),
        (["--study", "../../x"], "study must be up to 120 letters"),
        (["--no-such-option", "1"], "No such option"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_one_line_exit_2_and_leaves_nothing(capsys, home, stores, arguments, words):
    given = ["--budget", "5K", "--trials", "1", *arguments]
    code, out, err = run(capsys, "hpo", *given)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert err.startswith("error: ")
    assert words in err
    from search.tracking.stores import open_storage, open_tracking

    client = open_tracking(stores)
    assert [e.name for e in client.search_experiments()] == ["Default"]
    assert client.search_runs(["0"]) == []
    assert open_storage(stores).get_all_studies() == []


def test_grid_json_holds_what_it_says(capsys):
    code, out, _ = run(capsys, "grid", "2M", "--json")
    found = json.loads(out)
    assert code == 0
    names = "budget tolerance n_features axes min_head_dim grid_hash limits depth_limits architectures"
    assert set(found) == set(names.split())
    assert set(found["architectures"][0]) == {"label", "d_model", "n_layers", "n_heads", "d_ff", "n_params"}
    narrow = next(row for row in found["depth_limits"] if (row["d_model"], row["ff_ratio"]) == (64, 2))
    assert (narrow["smallest"], narrow["largest"], narrow["grid_depths"]) == (45, 74, [48, 64])


def test_grid_takes_axes_and_prints_tables(capsys):
    options = ["--n-layers", "160,180", "--min-head-dim", "16", "--tolerance", "0.2", "--tier", "a25"]
    code, out, _ = run(capsys, "grid", "20M", *options)
    assert code == 0
    assert out.splitlines()[0] == "20M parameters ±20 %, 25 features"
    assert "d128-L160-h8-ff256" in out and "d128-L160-h16-ff256" not in out
    assert "any depth: 1 to 716 layers, widths 64 to 1,536" in out
    assert out.splitlines()[-1].startswith("6 architectures, grid ")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["20Q"], "budget must be a number"),
        (["20M", "--n-layers", "a"], "for instance --n-layers 160,180"),
        (["20M", "--tolerance", "1"], "tolerance must be between 0 and 1"),
        (["20M", "--tier", "r99"], "tier must be one of"),
        (["20M", "--n-layers", "5000"], "the nearest is d64-L5000-h2-ff128"),
    ],
)
def test_grid_answers_mistakes_in_one_line(capsys, arguments, words):
    code, out, err = run(capsys, "grid", *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert words in err


def test_help_answers_in_under_a_second_because_it_imports_nothing_slow():
    probe = "import sys, search.cli; print([m for m in ('torch', 'mlflow', 'optuna', 'pandas') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_ui_refuses_other_hosts_and_says_why(capsys, home):
    code, _, err = run(capsys, "ui", "--host", "0.0.0.0")
    assert code == 2
    assert "no password by default" in err
    assert "--allow-remote" in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["--port", "99999"], "at most 65535"), (["--tracking-uri", "http://127.0.0.1:9"], "open that address instead")],
)
def test_ui_refuses_what_it_cannot_serve(capsys, home, arguments, words):
    code, _, err = run(capsys, "ui", *arguments)
    assert code == 2
    assert words in err


def test_no_command_shows_the_help(capsys):
    _, out, _ = run(capsys)
    assert "Commands:" in out
    assert out.count("\n") > 5


@pytest.mark.slow
def test_ui_serves_on_loopback(home, project):
    import socket
    import urllib.request

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "search", "ui", "--port", str(port)]
    environment = {**os.environ, "PYTHONPATH": str(project)}
    server = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        for _ in range(120):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2) as answer:
                    assert answer.read() == b"OK"
                break
            except OSError:
                assert server.poll() is None
                time.sleep(0.5)
        else:
            pytest.fail("the UI did not answer")
    finally:
        os.killpg(server.pid, 15)
        server.wait(20)
