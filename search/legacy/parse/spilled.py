"""Sequences too long to hold: their items wait in a temporary file, and only where each begins is in memory."""

from __future__ import annotations

import pickle
import tempfile
import weakref
from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar, overload

from pipeline.exceptions import StoreError

HELD = 2**20
Item = TypeVar("Item")


class Spilled(Sequence[Item]):
    """Items in the order in which they came; each is read anew when it is asked for.

    The file is the system's temporary one, made when the items take more than a MiB, without a name, and gone with
    the sequence.

    Parameters
    ----------
    items : iterable
        Whose items are appended one after the other.

    Examples
    --------
    >>> found = Spilled(iter("abc"))
    >>> found.append("d")
    3
    >>> len(found), found[-1], found[1:3], found == ["a", "b", "c", "d"]
    (4, 'd', ['b', 'c'], True)
    """

    def __init__(self, items: Iterable[Item] = ()) -> None:
        self._file = tempfile.SpooledTemporaryFile(HELD)
        weakref.finalize(self, self._file.close)
        self._ends, self._at_end = array("Q", [0]), True
        for item in items:
            self.append(item)

    def append(self, item: Item) -> int:
        """Add an item; return where it stands.

        Raises
        ------
        StoreError
            If the temporary directory has no room.
        """
        packed = pickle.dumps(item, pickle.HIGHEST_PROTOCOL)
        try:
            if not self._at_end:
                self._file.seek(self._ends[-1])
            self._file.write(packed)
        except OSError as error:
            raise StoreError(
                f"a long source needs room for a temporary file, got {error.strerror} in {tempfile.gettempdir()}; free "
                "some, or name another directory by TMPDIR"
            ) from error
        self._at_end = True
        self._ends.append(self._ends[-1] + len(packed))
        return len(self) - 1

    def __len__(self) -> int:
        """How many items there are."""
        return len(self._ends) - 1

    @overload
    def __getitem__(self, at: int) -> Item: ...
    @overload
    def __getitem__(self, at: slice) -> list[Item]: ...
    def __getitem__(self, at: int | slice) -> Item | list[Item]:
        """Read an item, or a list of some."""
        if isinstance(at, slice):
            return [self._read(each) for each in range(len(self))[at]]
        return self._read(range(len(self))[at])

    def __iter__(self) -> Iterator[Item]:
        """Read every item, one after the other."""
        return map(self._read, range(len(self)))

    def __eq__(self, other: object) -> bool:
        """Whether another sequence has the same items."""
        if not isinstance(other, Sequence) or isinstance(other, str):
            return NotImplemented
        return len(self) == len(other) and all(one == two for one, two in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        """Show as many as a line has room for."""
        return f"Spilled({self[:3]}{'' if len(self) <= 3 else f' and {len(self) - 3} more'})"

    def _read(self, at: int) -> Item:
        self._at_end = False
        self._file.seek(self._ends[at])
        item: Item = pickle.loads(self._file.read(self._ends[at + 1] - self._ends[at]))
        return item


class Picked(Sequence[Item]):
    """Some items of a sequence, which are read there each time.

    Parameters
    ----------
    items : sequence
        That has them.
    at : sequence of int
        Where each stands in it.

    Examples
    --------
    >>> found = Picked("abcd", [3, 1])
    >>> list(found), found[1], found[:1]
    (['d', 'b'], 'b', ['d'])
    """

    __slots__ = ("_at", "_items")

    def __init__(self, items: Sequence[Item], at: Sequence[int]) -> None:
        self._items, self._at = items, at

    def __len__(self) -> int:
        """How many items there are."""
        return len(self._at)

    @overload
    def __getitem__(self, at: int) -> Item: ...
    @overload
    def __getitem__(self, at: slice) -> list[Item]: ...
    def __getitem__(self, at: int | slice) -> Item | list[Item]:
        """Read an item, or a list of some."""
        return [self._items[each] for each in self._at[at]] if isinstance(at, slice) else self._items[self._at[at]]
