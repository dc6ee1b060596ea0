"""How many letters MLflow's database has room for: SQLite takes any number, PostgreSQL refuses one more.

MLflow's own checks let through more than some of its columns hold.  Whatever grows, or is somebody's own words, is cut
to what fits before it is written, with a word that it was.
"""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.exceptions import InputError

RUN_NAME, EXPERIMENT_NAME = 250, 256
RUN_TAG, EXPERIMENT_TAG = 8000, 20_000
PARAM = 6000
"""Of a param, which MLflow cuts without a word, although it is what was run."""
DESCRIPTION = 5000
"""Of a registered model, and of a version."""
MODEL_TAG, VERSION_TAG = 5000, 100_000
CUT = "… (cut)"


def cut(text: str, most: int) -> str:
    """Give a text that has room, its end left out and that said where it is longer.

    Examples
    --------
    >>> cut("the source was replaced", 23), cut("the source was replaced", 18)
    ('the source was replaced', 'the source … (cut)')
    """
    return text if len(text) <= most else f"{text[: most - len(CUT)]}{CUT}"


def require_room(params: Mapping[str, str]) -> None:
    """Refuse params that no run can hold.

    Raises
    ------
    InputError
        Naming the first.

    Examples
    --------
    >>> require_room({"seed": "7"})
    """
    for name, text in params.items():
        if len(text) > PARAM:
            raise InputError(
                f"a param must be of {PARAM:,} letters at most, which is what MLflow holds, got {name} of "
                f"{len(text):,}; name fewer tickers or values"
            )
