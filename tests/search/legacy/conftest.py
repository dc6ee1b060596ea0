import json

import pytest

from search.legacy.record.importer import import_files, parse_files
from search.legacy.record.present import legacy_runs
from search.tracking.stores import open_tracking

HEADER = (
    "timestamp,experiment,phase,budget,task,horizon,timescale,script_path,run_type,status,duration_seconds,val_loss,"
    "test_accuracy,hyperparameters,error_message,thermal_max_temp,data_md5,d_model,n_layers,n_heads,d_ff,param_count"
)


def csv_row(**cells):
    defaults = {
        "experiment": "phase6a_2M_h1_threshold_1pct",
        "budget": "2M",
        "horizon": "1",
        "run_type": "hpo",
        "status": "success",
        "val_loss": "0.3369480967521667",
    }
    given = {**defaults, **{name: str(value) for name, value in cells.items()}}
    hyperparameters = given.get("hyperparameters", "").replace('"', '""')
    given["hyperparameters"] = f'"{hyperparameters}"' if hyperparameters else ""
    return ",".join(given.get(name, "") for name in HEADER.split(","))


@pytest.fixture
def csv_text():
    """A result table of rows given as dictionaries of cells."""
    return lambda *rows: "\n".join([HEADER, *(csv_row(**row) for row in rows)]) + "\n"


@pytest.fixture
def parse(tmp_path):
    """Parse a text as a file of this name: its trials and report."""

    def read(text, name):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        _, report = parse_files([path])[0]
        return report.trials, report

    return read


@pytest.fixture
def importing(stores, tmp_path):
    """Import texts by file name; return reports and the legacy runs of the record."""

    def run(**files):
        paths = []
        for name, text in files.items():
            path = tmp_path / name.replace("__", ".")
            path.write_text(text if isinstance(text, str) else json.dumps(text))
            paths.append(path)
        parsed = parse_files(paths)
        import_files(stores, parsed)
        return [report for _, report in parsed], runs_of(stores)

    return run


def runs_of(stores):
    return list(legacy_runs(open_tracking(stores)))


@pytest.fixture
def recorded(stores):
    """The legacy trial runs in the record now."""
    return lambda: [run for run in runs_of(stores) if run.data.tags["run.role"] == "legacy-trial"]
