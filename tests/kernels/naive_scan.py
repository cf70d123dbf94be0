"""Counting parts into slices as the definition says, in slow plain Python. Imports nothing from disprop."""


def scan(parts, entries, cells):
    """Counts of one tally, by (slice, cell); rows outside the period; rows left out.

    parts: a list of (rows, slice of each row or None outside the period); a row is a list of codes. entries[c][code] is
    what a code of column c adds to the cell, None where a rule leaves the row out.
    """
    counts, outside, left_out = {}, 0, 0
    for rows, slices in parts:
        for row, which in zip(rows, slices):
            added = [column[code] for column, code in zip(entries, row)]
            if which is None:
                outside += 1
            elif None in added:
                left_out += 1
            else:
                assert 0 <= sum(added) < cells
                counts[which, sum(added)] = counts.get((which, sum(added)), 0) + 1
    return counts, outside, left_out
