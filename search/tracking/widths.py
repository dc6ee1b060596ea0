"""How many letters MLflow's database has room for: SQLite takes any number, PostgreSQL refuses one more.

MLflow's own checks let through more than some of its columns hold.  Whatever grows, or is somebody's own words, is cut
to what fits before it is written, with a word that it was.
"""

from __future__ import annotations

RUN_NAME, EXPERIMENT_NAME = 250, 256
RUN_TAG, EXPERIMENT_TAG = 8000, 20_000
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
