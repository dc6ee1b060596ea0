from dataclasses import replace

import pytest

from search.study.request import HpoRequest
from search.tracking.stores import open_storage, open_tracking


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
        (["--context-length", "20,x"], "for instance --context-length 20,30,60"),
        (["--patch-length", "0"], "patch_length must be whole numbers, at least 1"),
        (["--patch-length", "5:10"], "separated by commas, got '5:10'"),
        (["--context-length", "3"], "got context_length 3, patch_length 5, stride 5: take longer contexts"),
        (["--stride", "4"], "stride at most patch_length and a divisor of context_length - patch_length; got"),
        (["--min-head-dim", "0"], "for instance --min-head-dim 1"),
        (["--tolerance", "25"], "tolerance must be between 0 and 1"),
        (["--tolerance", "wide"], "tolerance must be a fraction"),
        (["--sampler", "cmaes"], "sampler must be one of tpe, gp, random, got 'cmaes'"),
        (["--trials", "0"], "trials must be a whole number, at least 1, got '0'"),
        (["--trials", "-3"], "got '-3'"),
        (["--trials", "many"], "got 'many'"),
        (["--horizon", "0"], "horizon must be a whole number, at least 1, got '0'"),
        (["--threshold", "nan"], "threshold must be a fraction"),
        (["--threshold", "-0.01"], "threshold must be a rise of the price"),
        (["--tier", "r99"], "tier must be one of"),
        (["--source", "bloomberg"], "source must be one of"),
        (["--ticker", "NOPE"], "got 'NOPE'"),
        (["--split", "2014-12-31/2015-06-30/2018-12-31"], "validation must have at least 200 days"),
        (["--split", "someday"], "split must be auto or"),
        (["--split", "2016-12-31/2014-12-31/2018-12-31"], "without overlap"),
        (["--workers", "0"], "workers must be auto or"),
        (["--instance-norm", "batch"], "instance_norm must be one of none, revin"),
        (["--offset", "forest"], "offset must be one of auto, none, logistic, boosting"),
        (["--train-tickers", "^IXIC,^IXIC"], "train_tickers must be tickers, each once"),
        (["--train-tickers", "NOPE"], "got 'NOPE'"),
        (["--pruner", "hyperband"], "pruner must be one of auto, median, wilcoxon, none"),
        (["--timeout", "soon"], "timeout must be a length of time"),
        (["--timeout", "0s"], "timeout must be a length of time"),
        (["--device", "mps"], "device mps needs an Apple GPU that torch can use, got none; take auto or cpu"),
        (["--device", "mps", "--engine", "ray"], "device mps is of this machine alone, got engine ray"),
        (["--device", "tpu"], "device must be auto, cpu, cuda or mps"),
        (["--seed", "-1"], "seed must be"),
        (["--max-epochs", "0"], "max_epochs must be"),
        (
            ["--learning-rate", "1e-3:1e-5:log"],
            "LOW below HIGH, or one value, got '1e-3:1e-5:log'; for instance --learning",
        ),
        (["--weight-decay", "0:0.3:log"], "weight_decay must begin above 0 where it is searched in logarithms"),
        (["--batch-size", "0"], "batch_size must be a whole number, at least 1, got '0'"),
        (["--dropout", "1"], "dropout must be in [0, 1), got '1'; for instance --dropout 0.1:0.5"),
        (["--warmup-fraction", "long"], "warmup_fraction must be auto, a value, choices separated by commas, LOW:HIGH"),
        (["--tracking-uri", "sqlite:////nonexistent/x/mlflow.db"], "tracking_uri must lie in a directory that exists"),
        pytest.param(
            ["--tracking-uri", "http://127.0.0.1:9"],
            "tracking_uri must be a store that can be reached",
            marks=pytest.mark.slow,
        ),
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
def test_bad_input_is_one_line_exit_2_and_leaves_nothing(home, command, stores, arguments, words):
    given = ["--budget", "5K", "--trials", "1", *arguments]
    code, out, err = command("hpo", *given)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert err.startswith("error: ")
    assert words in err
    client = open_tracking(stores)
    assert [e.name for e in client.search_experiments()] == ["Default"]
    assert client.search_runs(["0"]) == []
    assert open_storage(stores).get_all_studies() == []


@pytest.mark.parametrize("code", [0, 1, 124])
def test_what_is_typed_is_the_request_and_the_study_s_code_is_the_command_s(record, command, code):
    calls = record("search.hpo.command.run_study", code)
    typed = ("--budget", "50K", "--n-layers", "2,3", "--timeout", "1h30m", "--train-tickers", "^IXIC")
    typed += ("--learning-rate", "1e-5:1e-3:log", "--batch-size", "64, 128", "--stride", "5")
    assert command("hpo", *typed)[0] == code
    asked = HpoRequest(budget="50K", n_layers=(2, 3), timeout=5400.0, train_tickers=("^IXIC",))
    asked = replace(asked, learning_rate="1e-05:0.001:log", batch_size="64,128", stride=(5,))
    assert calls == [((asked,), {})]
