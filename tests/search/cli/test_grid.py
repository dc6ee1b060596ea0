import json

import pytest


def test_grid_json_holds_what_it_says(command):
    code, out, _ = command("grid", "2M", "--json")
    found = json.loads(out)
    assert code == 0
    names = "budget tolerance n_features axes min_head_dim grid_hash limits depth_limits architectures"
    assert set(found) == set(names.split())
    assert set(found["architectures"][0]) == {"label", "d_model", "n_layers", "n_heads", "d_ff", "n_params"}
    narrow = next(row for row in found["depth_limits"] if (row["d_model"], row["ff_ratio"]) == (64, 2))
    assert (narrow["smallest"], narrow["largest"], narrow["grid_depths"]) == (45, 74, [48, 64])


def test_grid_takes_axes_and_prints_tables(command):
    options = ["--n-layers", "160,180", "--min-head-dim", "16", "--tolerance", "0.2", "--tier", "a25"]
    code, out, _ = command("grid", "20M", *options)
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
def test_grid_answers_mistakes_in_one_line(command, arguments, words):
    code, out, err = command("grid", *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert words in err


def test_a_searched_window_has_columns_labels_and_what_is_left_out(command):
    options = [
        "--tier",
        "r25",
        "--n-layers",
        "8",
        "--context-length",
        "20,60",
        "--patch-length",
        "5,30",
        "--stride",
        "5",
    ]
    code, out, _ = command("grid", "2M", *options)
    assert code == 0
    assert "-c60p30s5" in out and "-c20p30s5 " not in out
    assert "left out: c20p30s5; every day of a window must lie in a patch" in out
    assert "context_length 20 to 60, patch_length 5 to 30, n_params" in out.splitlines()[-1]
    found = json.loads(command("grid", "2M", *options, "--json")[1])
    assert found["axes"]["context_length"] == [20, 60] and found["limits"]["patch_length"] == [5, 30]
    assert {row["context_length"] for row in found["architectures"]} == {20, 60}


def test_the_window_of_a_grid_that_does_not_search_it_is_said_in_its_axes_alone(command):
    found = json.loads(command("grid", "2M", "--tier", "r25", "--json")[1])
    assert {name: found["axes"][name] for name in ("context_length", "patch_length", "stride")} == {
        "context_length": [60],
        "patch_length": [10],
        "stride": [5],
    }
    assert "stride" not in found["limits"] and "stride" not in found["architectures"][0]
