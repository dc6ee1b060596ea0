"""The last days of a split's parts, as users write them."""

from __future__ import annotations

from datetime import date

from pipeline.exceptions import InputError


def read_ends(option: str, text: str) -> tuple[date, date, date] | None:
    """Read the last days of train, validation and test; None for ``auto``.

    Raises
    ------
    InputError
        If the text has neither form.

    Examples
    --------
    >>> read_ends("split", "2016-12-31/2018-12-31/2020-12-31")[0]
    datetime.date(2016, 12, 31)
    """
    if text == "auto":
        return None
    try:
        train, validation, test = map(date.fromisoformat, text.split("/"))
        if date.max in (train, validation):
            raise ValueError("no day follows")
    except ValueError as error:
        raise InputError(
            f"{option} must be auto or TRAIN_END/VALIDATION_END/TEST_END in ISO dates, got {text!r}; "
            "for instance 2014-12-31/2016-12-31/2018-12-31"
        ) from error
    return train, validation, test
