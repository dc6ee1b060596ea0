from __future__ import annotations

import subprocess
import sys
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from pipeline.calendars import sessions
from pipeline.datasets.build import build_dataset
from pipeline.snapshots.snapshot import latest_snapshots
from search.cli import main
from search.cli.data import data


def random_walk(days: int = 400, seed: int = 0) -> pd.DataFrame:
    index = sessions("XNYS", date(2015, 1, 2), date(2017, 12, 29))[:days]
    random = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(random.normal(0, 0.01, days)))
    columns = {"Open": close, "High": close * 1.01, "Low": close * 0.99, "Close": close}
    return pd.DataFrame({**columns, "Volume": random.integers(1000, 9000, days)}, index=index.rename("Date"))


@pytest.fixture
def market(tmp_path) -> Path:
    directory = tmp_path / "market"
    directory.mkdir()
    for seed, name in enumerate(("SPY", "VIX")):
        random_walk(seed=seed).to_csv(directory / f"{name}.csv")
    return directory


@pytest.fixture
def call(tmp_path, market, capsys):
    """Run a command as the console script does: its exit code, and everything it printed."""

    def run(*arguments: str) -> SimpleNamespace:
        with pytest.raises(SystemExit) as ended:
            main(["data", *arguments, "--root", str(tmp_path / "data")])
        return SimpleNamespace(exit_code=ended.value.code, output="".join(capsys.readouterr()))

    return run


@pytest.fixture
def source(market) -> tuple[str, str]:
    return "--source", f"csv:{market}?adjusted=yes"


def test_the_surface_is_pinned():
    surface = {name: sorted(option.name for option in command.params) for name, command in data.commands.items()}
    assert surface == {
        "pull": ["root", "source", "tickers"],
        "check": ["all_items", "root", "source", "tickers"],
        "list": ["root"],
        "show": ["root", "version"],
        "diff": ["after", "before", "root"],
        "export": ["days", "form", "offline", "out", "source", "storage", "ticker", "tracking_uri", "version"],
    }


def test_pull_check_list_show_diff(call, source, tmp_path, market):
    pulled = call("pull", "SPY", "^VIX", *source)
    assert pulled.exit_code == 0
    assert [line.split(":")[0] for line in pulled.output.splitlines()] == ["SPY", "^VIX"]
    assert "first snapshot" in pulled.output
    assert "read as dates yyyy-mm-dd, decimal point, header of 1 row, separator comma" in pulled.output
    assert "old: it ends on 2016-08-03, " in pulled.output
    assert "csv:market?adjusted=yes" in call("show", latest_snapshots(tmp_path / "data")["SPY"].digest).output

    checked = call("check")
    assert checked.exit_code == 0
    assert "SPY · 2015-01-02 to 2016-08-03 · 400 sessions · 0 errors" in checked.output
    assert checked.output.splitlines()[-1].startswith("2 checked: 0 errors")
    assert len(list((tmp_path / "data").glob("snapshots/*/*.checks.txt"))) == 2

    snapshots = latest_snapshots(tmp_path / "data")
    versions = [
        build_dataset(tmp_path / "data", snapshots["SPY"], tier, auxiliary=[snapshots["^VIX"]])
        for tier in ("r25", "r33")
    ]
    listed = call("list").output
    assert all(version.digest[:12] in listed for version in versions)
    assert all(snapshot.digest[:12] in listed for snapshot in snapshots.values())

    shown = call("show", versions[1].digest[:8])
    assert shown.exit_code == 0 and "33 features" in shown.output and versions[1].digest in shown.output

    compared = call("diff", versions[0].digest, versions[1].digest)
    assert compared.exit_code == 0 and "tier: r25 -> r33" in compared.output
    assert call("diff", versions[0].digest, versions[0].digest).output == "no difference\n"


def test_a_second_pull_says_what_changed(call, source, market):
    call("pull", "SPY", *source)
    assert "unchanged: 400 sessions compared, 0 new" in call("pull", "SPY", *source).output
    changed = random_walk()
    changed.iloc[100, changed.columns.get_loc("Volume")] *= 2
    changed.to_csv(market / "SPY.csv")
    output = call("pull", "SPY", *source).output
    assert "changed: 400 sessions compared" in output and f"{changed.index[100].date()} volume:" in output


def test_one_ticker_that_fails_does_not_stop_the_others(call, source):
    result = call("pull", "NOPE", "SPY", *source)
    assert result.exit_code == 2
    assert "1 of 2 tickers could not be pulled: NOPE" in result.output
    assert "400 sessions" in result.output


def test_errors_end_the_check_with_one(call, source, market):
    random_walk().drop(index=random_walk().index[50]).to_csv(market / "SPY.csv")
    assert call("pull", "SPY", *source).exit_code == 0
    result = call("check", "SPY")
    assert result.exit_code == 1
    assert "missing_sessions" in result.output and str(random_walk().index[50].date()) in result.output


def test_a_stale_ticker_is_told_beside_the_others(call, source, market):
    random_walk(seed=1).iloc[:-3].to_csv(market / "VIX.csv")
    call("pull", "SPY", "^VIX", *source)
    assert "3 sessions behind SPY" in call("check").output


def test_every_fault_of_a_file_is_told_at_its_pull(call, source, market):
    """What can't be read is one refusal, what can be read and breaks a rule one report."""
    faulty = random_walk().astype({"Close": object, "Open": object})
    faulty.iloc[7, faulty.columns.get_loc("Close")] = "n.v."
    faulty.iloc[9, faulty.columns.get_loc("Open")] = "?"
    faulty.to_csv(market / "SPY.csv")
    said = call("pull", "SPY", *source)
    assert said.exit_code == 2 and "line 9 'n.v.'" in said.output and "line 11 '?'" in said.output
    readable = random_walk().drop(index=random_walk().index[50])
    readable.iloc[7, readable.columns.get_loc("High")] = 1.0
    readable.to_csv(market / "SPY.csv")
    said = call("pull", "SPY", *source).output
    assert "error  price_bounds" in said and str(readable.index[7].date()) in said
    readable = random_walk().drop(index=random_walk().index[[50, 60]])
    readable.to_csv(market / "SPY.csv")
    said = call("pull", "SPY", *source).output
    assert all(f"{random_walk().index[row]:%Y-%m-%d %a}" in said for row in (50, 60))


@pytest.mark.parametrize(
    "arguments",
    [
        ("pull", "SPY", "--source", "bloomberg"),
        ("pull", "SPY", "--source", "csv:nowhere?adjusted=yes"),
        ("pull", "SPY", "--source", "csv:."),
        ("check",),
        ("check", "SPY"),
        ("show", "abcd"),
        ("show", "a"),
        ("diff", "abcd", "abce"),
    ],
)
def test_a_mistake_ends_with_two_and_one_line(call, arguments):
    result = call(*arguments)
    assert result.exit_code == 2
    assert len(result.output.splitlines()) == 1
    assert "got" in result.output and "Traceback" not in result.output


def test_an_empty_directory_lists_nothing(call):
    result = call("list")
    assert result.exit_code == 0
    assert "Snapshots: none under" in result.output and "Datasets: none under" in result.output


def test_help_does_not_wait_for_slow_imports():
    code = (
        "import sys; from search.cli.data import data; data(['--help'], standalone_mode=False); "
        "print(sorted({'pandas', 'mlflow', 'torch', 'rich', 'yfinance', 'talib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
