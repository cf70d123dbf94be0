"""Counting as the definition says, in slow plain Python. Imports nothing from disprop."""

from collections.abc import Sequence


def count_cells(columns: Sequence[Sequence[int]], tables: Sequence[Sequence[int]], cells: Sequence[int]) -> list[int]:
    """What the cells hold afterwards: every row adds one to the cell that is the sum of its table entries."""
    counts = [int(count) for count in cells]
    for row in zip(*columns):
        counts[sum(int(table[index + 1]) for index, table in zip(row, tables))] += 1
    return counts
