"""A run below a study's, for work that is not a trial: it ends as the work ended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from search.tracking.provenance import code_tags
from search.tracking.run import TrialRecord, library_tags
from search.tracking.tags import PARENT, REASON, ROLE, STUDY

if TYPE_CHECKING:
    from search.study.study import Study


@contextmanager
def child_run(study: Study, *, role: str, name: str, tags: Mapping[str, str] | None = None) -> Iterator[str]:
    """Make a run, and end it FINISHED; FAILED with a traceback or KILLED if the work raises.

    Parameters
    ----------
    study : Study
        Of the parent run.
    role : str
        What the run is for: reports tell runs by it.
    name : str
        Of the run.
    tags : mapping, optional
        Beside those that every run has.

    Yields
    ------
    str
        Id of the run.
    """
    run = study.client.create_run(
        study.experiment_id,
        run_name=name,
        tags={
            PARENT: study.run_id,
            ROLE: role,
            STUDY: study.plan.study,
            **code_tags(),
            **library_tags(),
            **(tags or {}),
        },
    )
    written = TrialRecord(study.client, run.info.run_id)
    try:
        yield written.run_id
    except KeyboardInterrupt:
        written.interrupt()
        raise
    except BaseException as error:
        written.fail(error)
        raise
    study.client.set_tag(written.run_id, REASON, "complete")
    study.client.set_terminated(written.run_id, "FINISHED")
