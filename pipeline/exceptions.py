"""The project's exception types: one base class, few children.

A :class:`PatchscaleError` is something the *user* can act upon; the command
line prints it as one line and exits with its ``exit_code``.  Our own mistakes
are assertions.
"""

from __future__ import annotations

import re

from pipeline.redaction import redacted

LONGEST = 500
LONG_WORD = re.compile(r"\S{400,}")


class PatchscaleError(Exception):
    """Base class of every error that a user can act upon; its message holds no secret."""

    exit_code = 1

    def __init__(self, *said: object) -> None:
        super().__init__(*(redacted(each) if isinstance(each, str) else each for each in said))


class InputError(PatchscaleError, ValueError):
    """An argument breaks a rule; the message names rule, value and remedy."""

    exit_code = 2


class DataError(InputError):
    """Market data break a rule, are unknown, or are not what was stored."""


class SealedError(InputError):
    """The sealed test split was asked for outside an evaluation of a registered version."""


class StoreError(InputError):
    """A tracking store, scheduling store or file can't be reached or read."""


class StoreLostError(StoreError):
    """A store that was reached does not answer any more: what was done is interrupted, and goes on another time."""


class LostLeaseError(StoreLostError):
    """Another command took over what this one worked on: it stops, and writes nothing more."""


class RecordError(PatchscaleError):
    """What MLflow holds of a run is not what was run."""


class TrainingError(PatchscaleError):
    """A trial can't go on, for instance because its loss is not finite."""


class StudyError(PatchscaleError):
    """A study stopped before its target number of trials was reached."""


def describe_error(error: BaseException) -> str:
    """One line: type and message, without secrets and without the statement that a database was asked."""
    return shortened(redacted(f"{type(error).__name__}: {error}".partition("[SQL:")[0]), LONGEST)


def shortened(text: str, most: int) -> str:
    r"""Put a text on one line of about so many letters, cut between words only.

    Examples
    --------
    >>> shortened("Take a backup of\nyour database", 20)
    'Take a backup of …'
    """
    words = text.split()
    line = " ".join(words)
    if len(line) <= most:
        return line
    kept = words[:1]
    for word in words[1:]:
        if sum(map(len, kept)) + len(kept) + len(word) + 2 > most:
            break
        kept.append(word)
    return " ".join([*kept, "…"])


def with_short_words(text: str) -> str:
    """Show of a word of hundreds of letters, which somebody typed, its two ends.

    Examples
    --------
    >>> len(with_short_words("9" * 10_000)), with_short_words("trials must be a whole number")
    (101, 'trials must be a whole number')
    """
    return LONG_WORD.sub(lambda word: f"{word[0][:80]}…{word[0][-20:]}", text)
