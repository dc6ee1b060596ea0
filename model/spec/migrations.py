"""Records that outlive the code: what older records lack, as named facts.

A record says by which schema it was written (``record.schema``; the first records say nothing, which is 1).  When a
field joins the spec or the plan, one entry says since which schema records hold it, and which value it had in every
record before: a fact about those records, not a default.  A record that is old enough is read with it; a record that
should hold the field and doesn't is damaged, and is refused.  A field that stands at the value which older records
are said to have had does not enter a hash, so that the names of older records stay what they were.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pipeline.exceptions import RecordError

RECORD_SCHEMA = "record.schema"
FIRST_SCHEMA = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Migration:
    """A field that records of an earlier schema lack.

    Parameters
    ----------
    schema : int
        The first whose records hold the field.
    name : str
        Of the field, as records flatten it.
    value : str
        What it was in every earlier record, as records write it.
    """

    schema: int
    name: str
    value: str


DISTRIBUTION_SCHEMA = 3
"""The first whose specs know of another head than one logit, and of what came with it."""

FOLDS_SCHEMA = 4
"""The first whose trials can be several trainings: of folds, of seeds."""

MIGRATIONS: tuple[Migration, ...] = tuple(
    Migration(schema=schema, name=name, value=value)
    for schema, values in {
        DISTRIBUTION_SCHEMA: {
            "n_static": "0",
            "head": "binary",
            "horizons": "none",
            "init": "normal",
            "width_rates": "none",
            "schedule": "cosine",
            "weight_average": "0.0",
            "first_epoch": "1",
            "n_thresholds": "4",
            "largest_threshold": "3.0",
            "blend": "none",
        },
        FOLDS_SCHEMA: {"n_folds": "0", "n_seeds": "1"},
    }.items()
    for name, value in values.items()
)
"""Of the spec, oldest first."""

PLAN_SCHEMA = 2
"""The first whose studies hold their search ranges: see :mod:`search.study.plan`."""

SCHEMA = max([PLAN_SCHEMA, *(each.schema for each in MIGRATIONS)])
"""What this code writes."""


def schema_of(params: Mapping[str, str]) -> int:
    """Read by which schema a record was written.

    Raises
    ------
    RecordError
        If it is not one that this code knows.

    Examples
    --------
    >>> schema_of({}), schema_of({"record.schema": "2"})
    (1, 2)
    """
    text = params.get(RECORD_SCHEMA, str(FIRST_SCHEMA))
    if not (text.isascii() and text.isdecimal()) or not FIRST_SCHEMA <= int(text) <= SCHEMA:
        raise RecordError(
            f"{RECORD_SCHEMA} must be from {FIRST_SCHEMA} to {SCHEMA}, got {text!r}; a later version of patchscale "
            "wrote this record: update to read it"
        )
    return int(text)


def complete(params: Mapping[str, str], migrations: Iterable[Migration] = MIGRATIONS) -> dict[str, str]:
    """Add to a record what its schema lacks.

    Examples
    --------
    >>> noise = [Migration(schema=2, name="noise", value="0.0")]
    >>> complete({"seed": "1"}, noise)
    {'noise': '0.0', 'seed': '1'}
    >>> complete({"seed": "1", "record.schema": "2"}, noise)
    {'seed': '1', 'record.schema': '2'}
    """
    schema = schema_of(params)
    return {**{each.name: each.value for each in migrations if schema < each.schema}, **params}


def identity(fields: Iterable[tuple[str, str]], migrations: Iterable[Migration] = MIGRATIONS) -> dict[str, str]:
    """Fields that a hash is made of: those that older records lack only where they are not as they were then.

    Examples
    --------
    >>> noise = [Migration(schema=2, name="noise", value="0.0")]
    >>> identity([("seed", "1"), ("noise", "0.0")], noise), identity([("noise", "0.1")], noise)
    ({'seed': '1'}, {'noise': '0.1'})
    """
    facts = {each.name: each.value for each in migrations}
    return {name: value for name, value in fields if facts.get(name) != value}
