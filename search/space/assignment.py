"""The assignment problem: every row its own column, at the least total cost."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

Costs = Sequence[Sequence[float]]


def assign(costs: Costs) -> list[tuple[int, int]]:
    """Assign rows to columns by shortest augmenting paths, one row after the other.

    Columns, prices and sums are taken in the order in which SciPy's ``linear_sum_assignment`` takes them: it
    chose the extremes of older studies, and of several best assignments this has to be the same one.  SciPy
    itself takes longer to load than ``patchscale status`` takes for everything else of its own.

    Parameters
    ----------
    costs : sequence of sequence of float
        Finite cost of each column, for each row.

    Returns
    -------
    list of (int, int)
        Row and column, by row; as many as the shorter side of the costs.

    References
    ----------
    Crouse (2016), "On implementing 2D rectangular assignment algorithms", IEEE Transactions on Aerospace and
    Electronic Systems 52(4).

    Examples
    --------
    >>> assign([[4.0, 1.0, 3.0], [2.0, 0.0, 5.0]])
    [(0, 1), (1, 0)]
    >>> assign([[4.0], [2.0]])
    [(1, 0)]
    """
    if len(costs) > len(costs[0]):
        return sorted((row, column) for column, row in assign(list(zip(*costs, strict=True))))
    row_prices, column_prices = [0.0] * len(costs), [0.0] * len(costs[0])
    column_of: dict[int, int] = {}
    row_of: dict[int, int] = {}
    for start in range(len(costs)):
        lengths, before = _shortest_path(costs, row_prices, column_prices, row_of, start)
        end, total = list(lengths.items())[-1]
        row_prices[start] += total
        for column, length in lengths.items():
            column_prices[column] -= total - length
            if column != end:
                row_prices[row_of[column]] += total - length
        row = -1
        while row != start:
            row = before[end]
            row_of[end] = row
            column_of[row], end = end, column_of.get(row, end)
    return sorted(column_of.items())


def _shortest_path(
    costs: Costs, row_prices: list[float], column_prices: list[float], row_of: Mapping[int, int], row: int
) -> tuple[dict[int, float], list[int]]:
    """Dijkstra's way from a row to the nearest column without one: columns reached, and the row before each."""
    lengths: dict[int, float] = {}
    before, shortest = [row] * len(column_prices), [math.inf] * len(column_prices)
    waiting, length = list(reversed(range(len(column_prices)))), 0.0
    while True:
        place, lowest = -1, math.inf
        for i, column in enumerate(waiting):
            found = length + costs[row][column] - row_prices[row] - column_prices[column]
            if found < shortest[column]:
                before[column], shortest[column] = row, found
            if shortest[column] < lowest or (shortest[column] == lowest and column not in row_of):
                place, lowest = i, shortest[column]
        column, length = waiting[place], lowest
        waiting[place] = waiting[-1]
        waiting.pop()
        lengths[column] = length
        if column not in row_of:
            return lengths, before
        row = row_of[column]
