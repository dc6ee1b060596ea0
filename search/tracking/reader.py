"""What the tracking store holds, read whole: every page of every search."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pipeline.exceptions import InputError

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment, Run

PAGE = 1000
ACTIVE = "active"


def every_page(search: Callable[..., Any], **arguments: Any) -> Iterator[Any]:
    """Everything that one of MLflow's searches finds, page by page."""
    token: str | None = None
    while True:
        page = search(**arguments, max_results=PAGE, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def find_experiments(client: MlflowClient, query: str | None = None) -> list[str]:
    """Ids of all experiments, or of those that an MLflow filter finds."""
    return [each.experiment_id for each in every_page(client.search_experiments, filter_string=query)]


def find_runs(
    client: MlflowClient, experiment_ids: Iterable[str], query: str = "", *, deleted: bool = False
) -> list[Run]:
    """Every run that an MLflow filter finds, the latest first; with ``deleted``, those too.

    The last page is read before the first run is handed out: whoever ends the runs that he finds would
    otherwise change what later pages hold.
    """
    from mlflow.entities import ViewType

    ids = list(experiment_ids)
    if not ids:
        return []
    view = ViewType.ALL if deleted else ViewType.ACTIVE_ONLY
    pages = every_page(client.search_runs, experiment_ids=ids, filter_string=query, run_view_type=view)
    return list({run.info.run_id: run for run in pages}.values())


def find_run(client: MlflowClient, run_id: str) -> Run | None:
    """Run of an id, also a deleted one; None if there is none, or none any more."""
    return _found(lambda: client.get_run(run_id))


def find_experiment(client: MlflowClient, experiment_id: str) -> Experiment | None:
    """Experiment of an id, also a deleted one; None if there is none, or none any more."""
    return _found(lambda: client.get_experiment(experiment_id))


def is_active(entity: Run | Experiment) -> bool:
    """Whether a run or an experiment was not deleted."""
    held: Any = getattr(entity, "info", entity)
    return bool(held.lifecycle_stage == ACTIVE)


def _found(read: Callable[[], Any]) -> Any:
    from mlflow.exceptions import MlflowException

    try:
        return read()
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return None


def matching(tags: Mapping[str, str], *, params: Mapping[str, str] | None = None, status: str = "") -> str:
    """MLflow filter for what has these tags, params and status.

    Raises
    ------
    InputError
        If a value can't be quoted.

    Examples
    --------
    >>> matching({"study.name": "SPY-h1"}, params={"spec_hash": "5c6b"}, status="FINISHED")
    "tags.`study.name` = 'SPY-h1' and params.`spec_hash` = '5c6b' and attributes.status = 'FINISHED'"
    """
    parts = [f"tags.`{name}` = {quoted(value)}" for name, value in tags.items()]
    parts += [f"params.`{name}` = {quoted(value)}" for name, value in (params or {}).items()]
    return " and ".join([*parts, f"attributes.status = '{status}'"] if status else parts)


def quoted(value: str) -> str:
    """Quote a value as MLflow reads it: it knows two marks, and no escape for either."""
    for mark in ("'", '"'):
        if mark not in value and not value.endswith("\\"):
            return f"{mark}{value}{mark}"
    raise InputError(
        f"a name must do without one of the marks ' and \", and must not end with \\, got {value}; choose another"
    )
