import pytest

from pipeline.exceptions import LostLeaseError
from search.tracking.held import guarded, held, of_nobody_else, require_held


class Book:
    def __init__(self):
        self.lines = []

    def write(self, line):
        """Write a line."""
        self.lines.append(line)
        return len(self.lines)


def lost():
    raise LostLeaseError("taken over")


@pytest.mark.lesson("L40")
def test_nothing_is_written_while_one_of_the_leases_is_lost_and_all_is_as_before_without_them():
    book, asked, write = Book(), [], guarded(Book, "write")
    assert write(book, "first") == 1 and (write.__name__, write.__doc__) == ("write", "Write a line.")
    with held(lambda: asked.append("outer")), held(lambda: asked.append("inner")):
        assert write(book, line="second") == 2 and asked == ["outer", "inner"]
        with held(lost):
            with pytest.raises(LostLeaseError, match="taken over"):
                write(book, "third")
        write(book, "fourth")
    assert book.lines == ["first", "second", "fourth"] and len(asked) == 6
    require_held()


@pytest.mark.lesson("L40")
def test_what_nobody_else_goes_on_with_is_written_whatever_was_lost_and_nothing_after_it():
    book, write = Book(), guarded(Book, "write")
    with held(lost):
        with pytest.raises(ZeroDivisionError), of_nobody_else():
            write(book, "end of a run")
            raise ZeroDivisionError
        with pytest.raises(LostLeaseError):
            write(book, "more")
    assert book.lines == ["end of a run"]


def test_a_lease_that_ends_by_an_error_is_asked_no_more():
    with pytest.raises(ZeroDivisionError), held(lost):
        raise ZeroDivisionError
    require_held()
