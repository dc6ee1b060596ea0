"""A logged model, asked in a process of its own, where it runs the code that it carries and not this one."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from model.serving.package_info import PackageFacts, facts_from_json
from pipeline.exceptions import RecordError
from pipeline.splits.target import Target
from search.registry.packaging.mlflow_model import clean_environment
from search.tracking.patience import require_answered, wait_for

TOLERANCE = 1e-6
TIMEOUT, TIMEOUT_OF_A_DAY = 300.0, 2.0
"""Seconds after which a process has hung, and what each day that is asked for adds, for members of 2B parameters."""
PROBE = """
import dataclasses, json, pathlib, sys
import mlflow, pandas as pd
uri, bars, first, last, asked, answer = sys.argv[1:]
asked = json.loads(asked)
loaded = mlflow.pyfunc.load_model(uri)
frame = pd.read_parquet(bars)
frame = frame[frame["date"] <= last]
start = int((frame["date"] < first).sum()) + 1 - loaded.metadata.metadata["required_days"]
forecasts = loaded.predict(frame.iloc[max(start, 0):], params={"days": "all", **asked})
package = loaded.unwrap_python_model().package
facts = dataclasses.asdict(package.facts)
quantiles = []
if asked and getattr(package, "horizons", ()):
    newest = frame.iloc[-package.required_days:]
    quantiles = list(package.quantiles(newest, horizon=asked["horizon"]).drop(columns="date").iloc[-1].items())
import model, pipeline
roots = [pathlib.Path(package.__file__).parents[1] for package in (model, pipeline)]
strange = [str(root) for root in roots if not (root.parent / "MLmodel").exists()]
said = {"forecasts": forecasts.to_dict("list"), "facts": facts, "strange": strange, "modules": sorted(sys.modules)}
said["quantiles"] = quantiles
with open(answer, "w", encoding="utf-8") as file:
    json.dump(said, file)
"""
"""Forecasts of the days that are asked for, from no more bars than they need, and the last day's quantiles."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a model said in a process of its own.

    Parameters
    ----------
    p : Series
        Probability by date, of every day that was asked for and has enough history.
    facts : PackageFacts
        What the model was made from.
    modules : tuple of str
        That the process had loaded in the end.
    quantiles : mapping
        Rise of the highest price within the asked horizon by share of probability, from the last day; none of a
        binary head, or where no question was asked.
    """

    p: pd.Series
    facts: PackageFacts
    modules: tuple[str, ...]
    quantiles: Mapping[float, float]


def ask_fresh_process(
    model_uri: str,
    frame: pd.DataFrame,
    tracking_uri: str,
    *,
    span: tuple[pd.Timestamp, pd.Timestamp] | None = None,
    asked: Target | None = None,
) -> Answer:
    """Load a logged model in a process of its own, far from this code, as a server would, and let it forecast.

    Parameters
    ----------
    model_uri : str
        As from :func:`search.registry.packaging.mlflow_model.log_package`, of a registered version, or a directory.
    frame : DataFrame
        Raw bars, see :func:`pipeline.datasets.raw_bars.raw_bars`.
    tracking_uri : str
        Of the tracking store.
    span : (Timestamp, Timestamp), optional
        First and last day to forecast; every day of the bars if not given.
    asked : Target, optional
        Horizon and threshold that are asked about; the study's own if not given.

    Raises
    ------
    RecordError
        If the process fails, runs other code than the model carries, or answers another question.
    StoreLostError
        If it can't load the model because the store does not answer, for ten minutes.
    """
    days = span or (frame["date"].min(), frame["date"].max())
    said = _run(model_uri, frame, days, tracking_uri, asked)
    if said["strange"]:
        raise RecordError(
            f"a packaged model must run the code that it carries, it ran that of {said['strange'][0]}; log it again"
        )
    forecasts = said["forecasts"]
    if asked is not None:
        _require_question(forecasts, asked)
    p = pd.Series(forecasts["probability"], index=pd.DatetimeIndex(forecasts["date"]), name="p", dtype="float64")
    try:
        facts = facts_from_json(said["facts"])
    except (KeyError, TypeError, ValueError) as error:
        raise RecordError(
            f"packaged model {model_uri} must hold facts that this version of patchscale reads, got {error!r}"
        ) from error
    quantiles = {float(share): float(rise) for share, rise in said["quantiles"]}
    return Answer(p=p, facts=facts, modules=tuple(said["modules"]), quantiles=quantiles)


def _require_question(forecasts: dict[str, list[Any]], asked: Target) -> None:
    """Refuse an answer to another question: an older package leaves out parameters that it does not know."""
    answered = set(zip(forecasts["horizon"], forecasts["threshold"], strict=True))
    if answered != {(asked.horizon, asked.threshold)}:
        said = ", ".join(f"horizon {horizon} and threshold {threshold:g}" for horizon, threshold in sorted(answered))
        raise RecordError(
            f"a packaged model must answer what it is asked, horizon {asked.horizon} and threshold "
            f"{asked.threshold:g}, it answers {said or 'nothing'}"
        )


def _run(
    model_uri: str,
    frame: pd.DataFrame,
    days: tuple[pd.Timestamp, pd.Timestamp],
    tracking_uri: str,
    asked: Target | None = None,
) -> dict[str, Any]:
    return wait_for(
        "MLflow's store", lambda: _run_once(model_uri, frame, days, tracking_uri, asked)
    )  # the process is patient for seconds only


def _run_once(
    model_uri: str,
    frame: pd.DataFrame,
    days: tuple[pd.Timestamp, pd.Timestamp],
    tracking_uri: str,
    asked: Target | None,
) -> dict[str, Any]:
    limit = TIMEOUT + TIMEOUT_OF_A_DAY * int(frame["date"].between(*days).sum())
    with TemporaryDirectory() as elsewhere:
        bars, answer = Path(elsewhere) / "bars.parquet", Path(elsewhere) / "answer.json"
        frame.to_parquet(bars, index=False)
        question = {} if asked is None else {"horizon": asked.horizon, "threshold": asked.threshold}
        try:
            done = subprocess.run(
                [sys.executable, "-c", PROBE, model_uri, str(bars), *map(str, days), json.dumps(question), str(answer)],
                cwd=elsewhere,
                env=clean_environment(tracking_uri),
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=limit,
            )
        except subprocess.TimeoutExpired as error:
            raise RecordError(f"packaged model {model_uri} must forecast within {limit:g} s, it did not") from error
        if done.returncode:
            require_answered(done.stderr)
            said = done.stderr.strip().splitlines() or ["no output"]
            raise RecordError(
                f"packaged model {model_uri} must load and forecast in a fresh process, it says: {said[-1]}"
            )
        return json.loads(answer.read_text(encoding="utf-8"))


def check_in_fresh_process(model_uri: str, frame: pd.DataFrame, expected: pd.DataFrame, tracking_uri: str) -> float:
    """Load a logged model in a process of its own, far from this code, and compare what it forecasts.

    Parameters
    ----------
    model_uri : str
        As from :func:`log_package`, or of a registered version.
    frame : DataFrame
        Raw bars, see :func:`pipeline.datasets.raw_bars.raw_bars`.
    expected : DataFrame
        ``date`` and ``p`` from the same weights; every day has to be forecast.
    tracking_uri : str
        Of the tracking store.

    Returns
    -------
    float
        Largest difference of two probabilities.

    Raises
    ------
    RecordError
        If the process fails, runs other code than the model carries, leaves out a day, or the difference
        exceeds 1e-6.
    """
    days = pd.DatetimeIndex(expected["date"])
    if not len(days):
        raise RecordError("a packaged model must be proved on at least one day, got none; name days that it forecasts")
    found = ask_fresh_process(model_uri, frame, tracking_uri, span=(days.min(), days.max())).p
    missing = days.difference(found.index)
    if len(missing):
        raise RecordError(
            f"a packaged model must forecast all {len(days)} days of its proof, {len(missing)} are missing, first "
            f"{missing[0].date()}; send bars that start earlier"
        )
    difference = float(np.abs(found.loc[days].to_numpy() - expected["p"].to_numpy(dtype=np.float64)).max())
    if not difference <= TOLERANCE:
        raise RecordError(
            f"a packaged model must forecast what its weights do within {TOLERANCE:g}, differs by {difference:.3g}; "
            "it was not packaged from these weights or features"
        )
    return difference
